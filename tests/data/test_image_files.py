"""Images as files: what is written comes back, and what cannot be read is named."""

import os

import numpy as np
import pytest
from PIL import Image

from gan_jax.common.errors import RequestError
from gan_jax.data import grids, images

DATA = images.mnist_sample("test", size=8)
SAMPLES = DATA.batch(0, 0, 12)["sample"]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_of_images_comes_back(tmp_path, channels):
    data = images.mnist_sample("test", channels, 8)
    drawn = data.batch(0, 0, 12)["sample"]
    data.write([drawn[:5], drawn[5:]], tmp_path / "drawn")
    names, read = data.read([tmp_path / "drawn"])
    np.testing.assert_array_equal(read, drawn)
    assert names == tuple(str(tmp_path / "drawn" / f"{number:06}.png") for number in range(12))
    assert [path.name for path in tmp_path.iterdir()] == ["drawn"]


def test_files_say_the_class_of_their_image(tmp_path):
    names = ["cat", "tabby/cat\n", "dog", "\u732b" * 50]
    DATA.write([SAMPLES[:3], SAMPLES[3:4]], tmp_path / "drawn", class_names=names)
    found = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    cut = "\u732b" * 33  # three bytes each
    assert found == [
        "000000_cat.png",
        "000001_tabby-cat-.png",
        "000002_dog.png",
        f"000003_{cut}.png",
    ]
    np.testing.assert_array_equal(DATA.read([tmp_path / "drawn"]).samples, SAMPLES[:4])


def test_files_and_folders_are_read_in_the_order_given(tmp_path):
    (tmp_path / "empty").mkdir()
    DATA.write([SAMPLES[:3]], tmp_path / "empty")
    grids.save_png(DATA.to_stored(SAMPLES)[3], tmp_path / "single.png")
    paths = [tmp_path / "single.png", tmp_path / "empty"]
    np.testing.assert_array_equal(DATA.read(paths).samples, SAMPLES[[3, 0, 1, 2]])


def test_a_png_is_a_page(tmp_path):
    DATA.write([SAMPLES[:7], SAMPLES[7:]], tmp_path / "page.png", columns=4)
    page = grids.read_png(tmp_path / "page.png")
    np.testing.assert_array_equal(page, DATA.page(SAMPLES, 4))
    np.testing.assert_array_equal(DATA.cells(page, 4), DATA.to_stored(SAMPLES))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.jpg", r"x\.jpg: must end in \.png, or be a new folder"),
        ("full", "full: is a folder with files in it"),
        ("folder.png", r"folder\.png: is a folder"),
        ("file", "file: is a file"),
        ("no/such/x.png", "there is no folder .*no/such"),
    ],
)
def test_other_places_are_refused(tmp_path, name, message):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "1.png").touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RequestError, match=f"samples cannot be written to .*{message}"):
        DATA.write([SAMPLES], tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before


def test_files_that_hold_no_image_are_named(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(RequestError, match=r"unreadable image .*text\.png"):
        DATA.read([tmp_path / "text.png"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match=r"there is no image in .*empty"):
        DATA.read([tmp_path / "empty"])


def test_images_of_another_size_are_scaled_and_the_first_is_named(tmp_path, caplog):
    for name, size in (("a.png", 8), ("b.png", 12)):
        Image.new("L", (size, size), 255).save(tmp_path / name)
    read = DATA.read([tmp_path / "a.png", tmp_path / "b.png"]).samples
    np.testing.assert_array_equal(read, np.ones((2, 8, 8, 1), np.float32))
    assert "not 8 x 8 pixels, and scaled" in caplog.text
    assert f"1 of 2 files, {tmp_path / 'b.png'} the first" in caplog.text


def test_the_limit_on_pixels_can_be_raised(tmp_path):
    Image.new("L", (8, 9)).save(tmp_path / "a.png")
    with pytest.raises(RequestError, match=r"unreadable image .*a\.png \(8 x 9 pixels, more than"):
        DATA.read([tmp_path / "a.png"], 71)
    assert DATA.read([tmp_path / "a.png"], 72).samples.shape == (1, 8, 8, 1)


@pytest.mark.usefixtures("in_time")
def test_a_fifo_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    for paths in ([tmp_path / "a.png"], [tmp_path]):
        with pytest.raises(RequestError, match=r"unreadable image .*a\.png is a FIFO"):
            DATA.read(paths)
