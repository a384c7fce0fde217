"""Where samples go: a page, a folder of images, or arrays; and what is refused before drawing."""

import os

import numpy as np
import pytest

from gan_jax import sampling
from gan_jax.common.errors import RequestError
from gan_jax.data import grids
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
    assert [file.name for file in files] == [f"{number}.png" for number in range(6)]
    for file, pixels in zip(files, EXPERIMENT.data.to_stored(DRAWN), strict=True):
        np.testing.assert_array_equal(grids.read_png(file), pixels)


@pytest.mark.parametrize(
    ("experiment", "name", "message"),
    [
        (EXPERIMENT, "x.jpg", r"x\.jpg: must end in \.png or \.npz, or be a new folder$"),
        (EXPERIMENT, "no/such/x.npz", "there is no folder .*no/such$"),
        (tiny_points(), "folder", r"folder: must end in \.png or \.npz$"),
    ],
)
def test_other_places_are_refused_before_anything_is_drawn(tmp_path, experiment, name, message):
    with pytest.raises(RequestError, match=message):
        sampling.check_file(experiment, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_fifo_is_refused_before_anything_is_drawn(tmp_path):
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(RequestError, match=r"x\.png is a FIFO, not a regular file$"):
        sampling.check_file(EXPERIMENT, tmp_path / "x.png")
