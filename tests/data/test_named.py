"""Images that a user names on the command line."""

import numpy as np
import pytest
from PIL import Image

from gan_jax.common.errors import RequestError
from gan_jax.data import images, named


def test_data_are_named_by_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "cifar10").mkdir()
    for text, described in {
        "mnist_sample": images.mnist_sample("train", 3, 16),
        "photos": images.folder("photos", 16, 3),
        "cifar10": images.folder("cifar10", 16, 3),
        "./nowhere": images.folder("nowhere", 16, 3),
        "/no/where": images.folder("/no/where", 16, 3),
        "some/file.npz": images.arrays("some/file.npz", 16, 3),
        "emnist/letters": images.tfds("emnist/letters", "train", 16, 3),
        "cifar100:3.0.2": images.tfds("cifar100:3.0.2", "train", 16, 3),
    }.items():
        assert named.from_text(text, 16, 3) == described


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Phtos", r"'Phtos' is not a data set: .*did you mean 'Photos'"),
        ("readme", "'readme' is a file without a suffix: write its images into a folder"),
        (
            "arr.npy",
            r"'arr\.npy' is an \.npy file: .*savez\('arr\.npz', images=np\.load\('arr\.np",
        ),
        ("data.zip", r"'data\.zip' is an archive: unpack it, and give the folder that comes out"),
        ("./data.tar.GZ", "is an archive: unpack it"),
        ("one.webp", r"'one\.webp' is a single image: give the folder that it lies in"),
        ("table.parquet", r"'table\.parquet' is a \.parquet file: write its images into a folder"),
    ],
)
def test_text_that_names_no_data_is_refused(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Photos").mkdir()
    for name in ("readme", "arr.npy", "data.zip", "data.tar.GZ", "one.webp", "table.parquet"):
        (tmp_path / name).write_text("")
    with pytest.raises(RequestError, match=message) as error:
        named.from_text(text, 8, 1)
    assert text == "Phtos" or "did you mean" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (12, 12, 3)),
        ({"size": 8}, (8, 8, 3)),
        ({"channels": 1}, (12, 12, 1)),
        ({"size": 8, "channels": 1}, (8, 8, 1)),
    ],
)
def test_what_is_not_asked_for_is_the_own_of_the_images(tmp_path, options, shape):
    Image.new("RGB", (12, 12)).save(tmp_path / "1.png")
    Image.new("L", (12, 12)).save(tmp_path / "2.png")
    assert named.from_text(str(tmp_path), **options).sample_shape == shape
    np.savez(tmp_path / "x.npz", images=np.zeros((2, 12, 12, 4), np.uint8))
    assert named.from_text(str(tmp_path / "x.npz"), **options).sample_shape == shape


def test_the_bundled_digits_have_their_own_shape():
    assert named.from_text("mnist_sample") == images.mnist_sample()


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (
            {"a": {(8, 8, 3): 40, (9, 8, 3): 2}},
            r"differ in size \(a: 8 x 8 \(40\), 8 x 9 \(2\)\): give --size N",
        ),
        (
            {"a": {(8, 8, 3): 40}, "b": {(16, 16, 3): 1000}},
            r"differ in size \(a: 8 x 8 \(40\); b: 16 x 16 \(1,000\)\): give --size N",
        ),
        ({"a": {(8, 12, 3): 4}}, r"not square \(a: 12 x 8 \(4\)\): give --size N, to which they a"),
        ({"a": {(n, n, 3): 1 for n in range(1, 9)}}, r"5 x 5 \(1\) and 3 other sizes"),
        (
            {"a": {(8, 8, 3): 1, (8, 8, 1): 9}, "b": {(8, 8, 1): 5}},
            r"in grey and in colour \(a: colour, b: grey\): give --channels 1 or --channels 3",
        ),
        (
            {"a": {(8, 8, 3): 1}, "b": {(9, 9, 1): 1}},
            r"in size \(.*\), and are in grey and .*\(.*\): give --size N and --channels 1 or",
        ),
    ],
)
def test_images_of_several_shapes_are_refused_with_their_counts(shapes, message):
    with pytest.raises(RequestError, match=message):
        named.own_shape(shapes, None, None)
