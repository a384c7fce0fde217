import os

import numpy as np
import pytest

from gan_jax.common import memory
from gan_jax.common.errors import RequestError
from gan_jax.data import images
from gan_jax.data.sources import arrays

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (6, 8, 8), dtype=np.uint8)
COLOUR = RANDOM.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)


def saved(tmp_path, **arrays):
    np.savez(tmp_path / "data.npz", **arrays)
    return tmp_path / "data.npz"


@pytest.mark.parametrize("pixels", [GREY, GREY[..., None]])
def test_grey_images(tmp_path, pixels):
    described = images.arrays(saved(tmp_path, images=pixels), size=8, channels=1)
    np.testing.assert_array_equal(described.load().sample, GREY[..., None])
    assert described.load().label is None
    assert (described.count, described.classes) == (6, 0)
    repeated = images.arrays(saved(tmp_path, images=pixels), size=8, channels=3)
    np.testing.assert_array_equal(repeated.load().sample, np.stack([GREY] * 3, axis=3))


def test_colour_images_and_labels(tmp_path):
    path = saved(tmp_path, images=COLOUR, labels=np.array([0, 4, 4, 1, 0, 0], np.uint8))
    described = images.arrays(path, size=8, channels=3, labels=True)
    np.testing.assert_array_equal(described.load().sample, COLOUR)
    assert described.load().label.dtype == np.int32
    assert described.load().label.tolist() == [0, 4, 4, 1, 0, 0]
    assert described.load().class_names == ("0", "1", "2", "3", "4")


def test_other_sizes_are_scaled(tmp_path):
    flat = np.full((2, 10, 20, 4), 255, np.uint8)
    flat[..., :3] = [1, 2, 3]
    examples = images.arrays(saved(tmp_path, images=flat), size=5, channels=3).load()
    np.testing.assert_array_equal(examples.sample, np.broadcast_to([1, 2, 3], (2, 5, 5, 3)))


@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        ({"pictures": GREY, "y": GREY}, "holds pictures, y, but no 'images'"),
        ({"images": GREY / 255}, "holds 'images' of type float64, not uint8"),
        ({"images": GREY[0]}, r"holds 'images' of shape \(8, 8\)"),
        ({"images": GREY[:0]}, r"holds 'images' of shape \(0, 8, 8\)"),
        ({"images": COLOUR[..., :2]}, "holds 'images' with 2 channels, not 1, 3 or 4"),
        ({"images": GREY, "labels": np.arange(5)}, r"shape \(5,\), not integers of shape \(6,\)"),
        ({"images": GREY, "labels": np.arange(6.0)}, "holds 'labels' of type float64"),
        ({"images": GREY, "labels": np.zeros((6, 1), int)}, r"shape \(6, 1\), not integers"),
        ({"images": np.array([None] * 6)}, "cannot be read as .npz"),
    ],
)
def test_wrong_contents_are_named(tmp_path, arrays, found):
    described = images.arrays(saved(tmp_path, **arrays), size=8, channels=1)
    with pytest.raises(RequestError, match=found + ".*; right is an .npz with 'images', uint8"):
        described.load()


def test_files_that_are_no_npz(tmp_path):
    path = saved(tmp_path, images=GREY)
    whole = path.read_bytes()
    np.save(tmp_path / "single.npy", GREY)
    with pytest.raises(RequestError, match=r"single\.npy' is an \.npy file: put it into an \.npz"):
        images.arrays(tmp_path / "single.npy", size=8, channels=1).load()
    for content in [b"", b"text", whole[:300], whole[:-9], (tmp_path / "single.npy").read_bytes()]:
        path.write_bytes(content)
        with pytest.raises(RequestError, match=r"cannot be read as \.npz|is damaged"):
            images.arrays(path, size=len(content) + 1, channels=1).load()
    with pytest.raises(RequestError, match=r"dta.npz' is not a file.*did you mean 'data.npz'\?"):
        images.arrays(tmp_path / "dta.npz", size=8, channels=1).load()


@pytest.mark.parametrize("first", [20261128, 1761234567, -1])
def test_numbers_that_are_no_classes_are_no_labels_and_it_is_said_why(tmp_path, first):
    path = saved(tmp_path, images=GREY, labels=np.arange(6) + first)
    unlabelled = images.arrays(path, size=8, channels=1)
    assert (unlabelled.load().label, unlabelled.classes) == (None, 0)
    with pytest.raises(
        RequestError, match=rf"there are none .* {first} to {first + 5}[,:].*from 0 on"
    ):
        images.arrays(path, size=8, channels=1, labels=True).load()


def test_a_file_without_labels_says_so_where_they_are_needed(tmp_path):
    with pytest.raises(RequestError, match=r"there are none .*: the file holds no 'labels'"):
        images.arrays(saved(tmp_path, images=GREY), size=8, channels=1, labels=True).load()


@pytest.mark.parametrize(("most", "warned"), [(1, True), (2, False)])
def test_pixels_of_0_and_1_are_doubted(tmp_path, caplog, most, warned):
    path = saved(tmp_path, images=np.full((3, 8, 8), most, np.uint8))
    images.arrays(path, size=8, channels=1).load()
    assert ("all 'images' are 0 or 1; white is 255, not 1" in caplog.text) == warned


@pytest.mark.parametrize(
    ("pixels", "shape"),
    [(GREY, (8, 8, 1)), (GREY[..., None], (8, 8, 1)), (COLOUR[:, :5], (5, 8, 3))],
)
def test_own_shapes(tmp_path, pixels, shape):
    assert arrays.Arrays(str(saved(tmp_path, images=pixels))).shapes() == {shape: 6}


@pytest.mark.parametrize("name", ["fifo.npz", "folder.npz"])
@pytest.mark.usefixtures("in_time")
def test_what_is_not_a_regular_file_is_not_opened(tmp_path, name):
    os.mkfifo(tmp_path / "fifo.npz")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(RequestError, match=rf"{name} is a \w+, not a regular file"):
        images.arrays(tmp_path / name, size=8, channels=1).load()


@pytest.mark.parametrize(("size", "what"), [(15, "scaling 6 images"), (25, "every image")])
def test_images_scaled_beyond_memory_are_refused(tmp_path, monkeypatch, size, what):
    monkeypatch.setattr(memory, "machine_bytes", lambda: 1000)
    described = images.arrays(saved(tmp_path, images=GREY), size=size, channels=3)
    with pytest.raises(RequestError, match=rf"size = {size}: {what} needs at least .* KiB, and"):
        described.load()
