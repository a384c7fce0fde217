import dataclasses

import numpy as np
import pytest
from PIL import Image

from gan_jax.common.errors import RequestError
from gan_jax.data import grids, points
from gan_jax.networks import conditions, mlp
from gan_jax.runs import RunDirectory
from gan_jax.sampling import sheets
from tests.data.test_grids import numbered
from tests.tiny import init, tiny


def test_film_strip_of_many_moments_keeps_the_first_and_the_last(tmp_path):
    directory, experiment = RunDirectory(tmp_path), tiny()
    directory.samples.mkdir()
    for step in range(100):
        page = grids.grid(numbered(64, 8, 8) * 0 + step, 8)
        grids.save_png(page, directory.step_picture(step))
    directory.step_picture(10).write_bytes(b"damaged, and not among those chosen")
    directory.step_picture(18).write_bytes(b"damaged, and chosen")
    (directory.samples / "step_best.png").write_bytes(b"of somebody else")
    said = []
    sheets.save_final(experiment, init(experiment, 0), directory, said.append)
    assert len(said) == 1 and "step_18.png" in said[0]
    strip, columns = grids.read_png(directory.film_strip), grids.STRIP_COLUMNS - 1
    whole = grids.STRIP_ROWS * (8 + grids.GAP) - grids.GAP
    cells = grids.cells(strip[:whole], columns, (8, 8, 1))
    assert cells[0].max() == 0
    assert cells[columns - 1].max() == 99
    steps = [str(step) for step in (0, 9, 27, 36, 45, 54, 63, 72, 81, 90, 99)]
    assert (strip == grids.labelled(strip[:whole], steps)).all()


def test_pictures_of_another_size_are_left_out_of_the_film_strip(tmp_path):
    directory, experiment = RunDirectory(tmp_path), tiny()
    directory.samples.mkdir()
    for step, width in ((0, 6), (1, 8), (2, 8)):
        grids.save_png(grids.grid(numbered(64, 8, width), 8), directory.step_picture(step))
    said = []
    sheets.save_final(experiment, init(experiment, 0), directory, said.append)
    assert len(said) == 1 and "step_0.png: has another size" in said[0]
    assert grids.read_png(directory.film_strip).shape[1] == 2 * 8 + grids.GAP


def test_rows_of_the_film_strip_have_the_names_of_their_classes(tmp_path):
    base = tiny()
    experiment = dataclasses.replace(
        base,
        data=dataclasses.replace(base.data, labels=True),
        generator=conditions.Generator(base.generator, classes=10),
        discriminator=conditions.Discriminator(base.discriminator, classes=10),
    )
    directory = RunDirectory(tmp_path)
    directory.samples.mkdir()
    page = grids.grid(numbered(64, 8, 8), 8)
    grids.save_png(page, directory.step_picture(0))
    sheets.save_final(experiment, init(experiment, 0), directory, print)
    over_time = grids.cells(page, 8, (8, 8, 1))[None]
    strip = grids.labelled(grids.film_strip(over_time), ["0"])
    expected = grids.with_row_names(strip, [str(digit) for digit in range(8)], 8)
    np.testing.assert_array_equal(grids.read_png(directory.film_strip), expected)


def test_without_any_picture_there_is_no_film_strip(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.samples.mkdir()
    sheets.save_final(tiny(), init(tiny(), 0), directory, print)
    assert not list(directory.samples.iterdir())


def test_a_film_shows_all_pages_with_their_steps(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.samples.mkdir()
    with pytest.raises(RequestError, match=r"no picture of a step in .*samples$"):
        sheets.save_film(directory, tmp_path / "film.gif", print)
    for step, side in ((0, 6), (5, 8), (10, 8), (100, 8)):
        page = grids.grid(numbered(64, side, side) * 0 + step, 8)
        grids.save_png(page, directory.step_picture(step))
    directory.step_picture(20).write_bytes(b"damaged")
    said = []
    assert sheets.save_film(directory, tmp_path / "film.gif", said.append) == 3
    assert ["step_20.png" in said[0], "step_0.png: has another size" in said[1]] == [True, True]
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 3
        for frame, step in enumerate((5, 10, 100)):
            film.seek(frame)
            page = grids.read_png(directory.step_picture(step))
            expected = grids.labelled(page, [f"step {step}"])[..., 0]
            np.testing.assert_array_equal(np.asarray(film.convert("L")), expected)
    with pytest.raises(RequestError, match=r"film\.png: must end in \.gif$"):
        sheets.save_film(directory, tmp_path / "film.png", print)


def test_points_are_shown_together_and_their_film_strip_is_a_row(tmp_path):
    data = points.Mixture(((1.0, 1.0),), 0.1, count=50)
    networks = {"generator": mlp.Generator(4), "discriminator": mlp.Discriminator(4)}
    experiment = tiny(data=data, **networks)
    directory = RunDirectory(tmp_path)
    directory.samples.mkdir()
    for step in (0, 3):
        sheets.save_step(experiment, init(experiment, step), directory, step)
    sheets.save_final(experiment, init(experiment, 0), directory, print)
    last = grids.read_png(directory.step_picture(3))
    assert last.shape == (points.PIXELS, points.PIXELS, 1)
    assert (grids.read_png(directory.final_picture) == last).all()
    strip = grids.read_png(directory.film_strip)
    assert strip.shape[1:] == (2 * points.PIXELS + grids.GAP, 1)
    assert (strip[: points.PIXELS, -points.PIXELS :] == last).all()
