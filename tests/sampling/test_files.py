"""Where samples go: a page, a folder of images, or arrays; and what is refused before drawing."""

import os

import numpy as np
import pytest
from PIL import Image

from gan_jax import sampling
from gan_jax.common.errors import RequestError
from gan_jax.data import grids, images
from tests.tiny import init, tiny, tiny_points

EXPERIMENT = tiny()
LATENTS = sampling.draw_latents(EXPERIMENT, 0, 6)
DRAWN = sampling.from_latents(EXPERIMENT, init(EXPERIMENT, 0), LATENTS)


def test_arrays_are_those_that_were_given(tmp_path):
    labels = np.arange(6, dtype=np.int32)
    sampling.save(EXPERIMENT, DRAWN, tmp_path / "x.npz", latents=LATENTS, labels=labels)
    with np.load(tmp_path / "x.npz") as file:
        assert set(file) == {"samples", "latents", "labels"}
        np.testing.assert_array_equal(file["samples"], DRAWN)
        np.testing.assert_array_equal(file["latents"], LATENTS)
        np.testing.assert_array_equal(file["labels"], labels)
    sampling.save(EXPERIMENT, DRAWN, str(tmp_path / "y.npz"))
    with np.load(tmp_path / "y.npz") as file:
        assert set(file) == {"samples"}


@pytest.mark.parametrize("name", ["x.PNG", "x.NPZ", "link.png"])
def test_endings_may_be_in_capitals_and_links_lead_to_files(tmp_path, name):
    (tmp_path / "link.png").symlink_to("y.png")
    sampling.save(EXPERIMENT, DRAWN, tmp_path / name)
    if name == "x.NPZ":
        with np.load(tmp_path / name) as file:
            np.testing.assert_array_equal(file["samples"], DRAWN)
    else:
        page = grids.read_png(tmp_path / ("y.png" if name == "link.png" else name))
        np.testing.assert_array_equal(page, grids.grid(EXPERIMENT.data.to_stored(DRAWN)))


def test_a_page_has_the_columns_asked_for_or_is_about_square(tmp_path):
    pixels = EXPERIMENT.data.to_stored(DRAWN)
    for columns, expected in ((3, 3), (None, 2)):
        sampling.save(EXPERIMENT, DRAWN, tmp_path / "x.png", columns=columns)
        page = grids.read_png(tmp_path / "x.png")
        np.testing.assert_array_equal(page, grids.grid(pixels, expected))


def test_a_folder_has_a_file_for_each_sample(tmp_path):
    sampling.save(EXPERIMENT, DRAWN, tmp_path / "drawn")
    files = sorted((tmp_path / "drawn").iterdir())
    assert [file.name for file in files] == [f"{number:06}.png" for number in range(6)]
    for file, pixels in zip(files, EXPERIMENT.data.to_stored(DRAWN), strict=True):
        np.testing.assert_array_equal(grids.read_png(file), pixels)


@pytest.mark.parametrize(
    ("experiment", "name", "message"),
    [
        (EXPERIMENT, "x.jpg", r"x\.jpg: must end in \.png or \.npz or \.gif, or be a new folder$"),
        (EXPERIMENT, "no/such/x.npz", "there is no folder .*no/such$"),
        (tiny_points(), "folder", r"folder: must end in \.png or \.npz or \.gif$"),
    ],
)
def test_other_places_are_refused_before_anything_is_drawn(tmp_path, experiment, name, message):
    with pytest.raises(RequestError, match=message):
        sampling.check_file(experiment, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_arrays_are_written_in_parts_with_the_bytes_that_numpy_gives_them(tmp_path):
    state = init(EXPERIMENT, 0)
    parts = sampling.in_parts(EXPERIMENT, state, LATENTS)
    sampling.save_parts(EXPERIMENT, parts, tmp_path / "x.npz", count=6, latents=LATENTS)
    np.savez(tmp_path / "y.npz", samples=DRAWN, latents=np.asarray(LATENTS))
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "y.npz").read_bytes()
    with pytest.raises(ZeroDivisionError):  # what fails in the midst leaves nothing
        failing = (DRAWN[:4] if i else 1 / 0 for i in (1, 0))
        sampling.save_parts(EXPERIMENT, failing, tmp_path / "z.npz", count=8)
    assert {path.name for path in tmp_path.iterdir()} == {"x.npz", "y.npz"}


@pytest.mark.parametrize("labels", [None, np.arange(6, dtype=np.int32)])
def test_arrays_hold_what_the_data_store_where_asked_for(tmp_path, labels):
    path, parts = tmp_path / "x.npz", (DRAWN[:4], DRAWN[4:])
    sampling.save_parts(EXPERIMENT, parts, path, count=6, labels=labels, as_stored=True)
    with np.load(path) as file:
        assert set(file) == ({"arr_0"} if labels is None else {"arr_0", "arr_1"})
        assert file["arr_0"].dtype == np.uint8
        np.testing.assert_array_equal(file["arr_0"], EXPERIMENT.data.to_stored(DRAWN))
        if labels is not None:
            np.testing.assert_array_equal(file["arr_1"], labels)


@pytest.mark.parametrize("channels", [1, 3])
def test_an_animation_shows_one_page_after_another(tmp_path, channels):
    experiment = tiny(data=images.mnist_sample(size=8, channels=channels))
    samples = np.linspace(-1, 1, 6, dtype=np.float32).reshape(6, 1, 1, 1) * np.ones(
        (8, 8, channels), np.float32
    )
    sampling.save(experiment, samples, tmp_path / "x.gif", frames=3, columns=2)
    with Image.open(tmp_path / "x.gif") as animation:
        assert (animation.n_frames, animation.info["loop"]) == (3, 0)
        for frame, shown in enumerate(np.split(samples, 3)):
            animation.seek(frame)
            found = np.asarray(animation.convert("RGB" if channels == 3 else "L"), int)
            expected = experiment.data.page(shown, 2).astype(int)
            assert np.abs(found.reshape(expected.shape) - expected).max() <= 4  # of its palette


def test_samples_that_do_not_fill_the_pages_are_refused(tmp_path):
    with pytest.raises(RequestError, match="6 samples cannot be divided into 4 pages"):
        sampling.save(EXPERIMENT, DRAWN, tmp_path / "x.gif", frames=4)


@pytest.mark.parametrize("name", ["x.png", "x.gif", "folder"])
def test_samples_that_are_not_finite_are_shown_nowhere(tmp_path, name):
    with pytest.raises(RequestError, match="the samples are not finite: the run has diverged"):
        sampling.save(EXPERIMENT, DRAWN * np.float32("nan"), tmp_path / name)
    sampling.save(EXPERIMENT, DRAWN * np.float32("nan"), tmp_path / "x.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


def test_a_page_too_large_for_a_gif_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(grids, "MOST_OF_GIF", 20)
    with pytest.raises(RequestError, match=r"pages of 18 x 28 pixels, and a GIF has at most 20"):
        sampling.save(EXPERIMENT, DRAWN, tmp_path / "x.gif", columns=2)


def test_a_fifo_is_refused_before_anything_is_drawn(tmp_path):
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(RequestError, match=r"x\.png is a FIFO, not a regular file$"):
        sampling.check_file(EXPERIMENT, tmp_path / "x.png")
