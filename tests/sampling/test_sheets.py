import numpy as np
import pytest

from gan_jax.data import points
from gan_jax.networks import mlp
from gan_jax.runs import RunDirectory
from gan_jax.sampling import sheets
from tests.tiny import init, tiny


def numbered(count, height=3, width=4, channels=1):
    """Pictures, each of one grey: its number."""
    pixels = np.arange(count, dtype=np.uint8)[:, None, None, None]
    return np.broadcast_to(pixels, (count, height, width, channels)).copy()


def test_pixels_cover_the_range_and_round():
    values = np.array([-1.0, 1.0, 0.0, -2.0, 3.0, -1 + 2 / 255, -1 + 2.9 / 255])
    assert sheets.to_pixels(values).tolist() == [0, 255, 128, 0, 255, 1, 1]


def test_pixels_invert_the_scaling_of_images():
    pixels = np.arange(256, dtype=np.uint8)
    assert (sheets.to_pixels(pixels / 127.5 - 1) == pixels).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_grid_lays_out_row_by_row(channels):
    page = sheets.grid(numbered(5, channels=channels), 2)
    assert page.shape == (3 * 3 + 2 * sheets.GAP, 2 * 4 + sheets.GAP, channels)
    for number in range(5):
        cell = sheets.cell(page, number, 2, (3, 4, channels))
        assert (cell == number).all()
    assert (page[:, 4 : 4 + sheets.GAP] == 255).all()


def test_film_strip_has_time_from_left_to_right():
    grids = [sheets.grid(numbered(64) + 64 * time, 8) for time in range(3)]
    strip = sheets.film_strip(grids, (3, 4, 1), 8)
    for latent in range(sheets.STRIP_ROWS):
        for time in range(3):
            cell = sheets.cell(strip, latent * 3 + time, 3, (3, 4, 1))
            assert (cell == latent + 64 * time).all()


def test_film_strip_of_many_moments_keeps_the_first_and_the_last(tmp_path):
    directory, experiment = RunDirectory(tmp_path), tiny()
    directory.samples.mkdir()
    for step in range(100):
        page = sheets.grid(numbered(64, 8, 8) * 0 + step, 8)
        sheets.save_png(page, directory.step_picture(step))
    directory.step_picture(10).write_bytes(b"damaged, and not among those chosen")
    directory.step_picture(18).write_bytes(b"damaged, and chosen")
    (directory.samples / "step_best.png").write_bytes(b"of somebody else")
    said = []
    sheets.save_final(experiment, directory, said.append)
    assert len(said) == 1 and "step_18.png" in said[0]
    strip, columns = sheets.read_png(directory.film_strip), sheets.STRIP_COLUMNS - 1
    assert sheets.cell(strip, 0, columns, (8, 8, 1)).max() == 0
    assert sheets.cell(strip, columns - 1, columns, (8, 8, 1)).max() == 99
    whole = sheets.STRIP_ROWS * (8 + sheets.GAP) - sheets.GAP
    steps = [str(step) for step in (0, 9, 27, 36, 45, 54, 63, 72, 81, 90, 99)]
    assert (strip == sheets.labelled(strip[:whole], steps)).all()


def test_pictures_of_another_size_are_left_out_of_the_film_strip(tmp_path):
    directory, experiment = RunDirectory(tmp_path), tiny()
    directory.samples.mkdir()
    for step, width in ((0, 6), (1, 8), (2, 8)):
        sheets.save_png(sheets.grid(numbered(64, 8, width), 8), directory.step_picture(step))
    said = []
    sheets.save_final(experiment, directory, said.append)
    assert len(said) == 1 and "step_0.png: has another size" in said[0]
    assert sheets.read_png(directory.film_strip).shape[1] == 2 * 8 + sheets.GAP


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("longest", ["7", "6000", "10000", "123456"])
def test_labels_stand_under_their_columns_and_do_not_touch(channels, longest):
    width = 28
    page = sheets.grid(numbered(3, width, width, channels), 3)
    shown = sheets.labelled(page, ["8", longest, ""])
    assert (shown[: len(page)] == page).all()
    ink = (shown[len(page) :] < 255).any(axis=(0, 2))
    step = width + sheets.GAP
    first, second, third = ink[:step], ink[step : 2 * step], ink[2 * step :]
    assert first.any() and not third.any()
    middles = [np.flatnonzero(of).mean() for of in (first, second)]
    assert middles == pytest.approx([(width - 1) / 2] * 2, abs=1.5)
    assert not second[0] and not second[-1]


@pytest.mark.parametrize("channels", [1, 3])
def test_png_keeps_every_pixel(tmp_path, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    sheets.save_png(pixels, tmp_path / "x.png")
    np.testing.assert_array_equal(sheets.read_png(tmp_path / "x.png"), pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_points_are_shown_together_and_their_film_strip_is_a_row(tmp_path):
    data = points.Mixture(((1.0, 1.0),), 0.1, count=50)
    networks = {"generator": mlp.Generator(4), "discriminator": mlp.Discriminator(4)}
    experiment = tiny(data=data, **networks)
    directory = RunDirectory(tmp_path)
    directory.samples.mkdir()
    for step in (0, 3):
        sheets.save_step(experiment, init(experiment, step), directory, step)
    sheets.save_final(experiment, directory, print)
    last = sheets.read_png(directory.step_picture(3))
    assert last.shape == (points.PIXELS, points.PIXELS, 1)
    assert (sheets.read_png(directory.final_picture) == last).all()
    strip = sheets.read_png(directory.film_strip)
    assert strip.shape[1:] == (2 * points.PIXELS + sheets.GAP, 1)
    assert (strip[: points.PIXELS, -points.PIXELS :] == last).all()
