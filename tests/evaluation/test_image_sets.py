"""Sets of images to compare: their common size, and samples in the right range."""

import numpy as np
import pytest
from PIL import Image

from gan_jax.common.errors import RequestError
from gan_jax.data import images
from gan_jax.evaluation import image_sets

PIXELS = images.mnist_sample("test", size=8).load().sample[:9].copy()
PIXELS[0, 0, 0] = 255  # so that both ends of the range are there
DRAWN = PIXELS.astype(np.float32) / 127.5 - 1


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A function that writes an .npz file, and the folder `photos` of colour images beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (8, 8)).save("photos/1.png")

    def save(**arrays):
        np.savez("x.npz", **arrays)
        return "x.npz"

    return save


def read(*texts, size=None, channels=None, said=None):
    """The sets, and what was said about them in the list."""
    announce = [].append if said is None else said.append
    return image_sets.read(texts, size, channels, announce, 2**26)


@pytest.mark.parametrize("name", ["samples", "arr_0"])
@pytest.mark.parametrize("samples", [DRAWN, DRAWN.astype(np.float64), PIXELS])
def test_samples_become_the_pixels_that_they_stand_for(saved, samples, name):
    said = []
    (found,) = read(saved(**{name: samples}), said=said)
    np.testing.assert_array_equal(found.stored, PIXELS)
    assert found.described.sample_shape == (8, 8, 1)
    assert not said


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.full_like(DRAWN, np.nan), "'samples' that are not finite: 576 of 576 numbers"),
        (np.where(DRAWN.max() == DRAWN, np.inf, DRAWN), "that are not finite: "),
        (DRAWN * 2, r"'samples' from -2 to 2, not in \[-1, 1\]: scale them, or .* np\.clip\("),
        (DRAWN + 1e-3, r"from -0\.999 to 1\.001, not in \[-1, 1\]"),
        (PIXELS.astype(np.float32), r"from 0 to 255, .*: pixels must be of type uint8, as by"),
        (PIXELS.astype(np.int64), "'samples' of type int64: neither pixels, uint8 in"),
        (DRAWN[0], r"'samples' of shape \[8, 8, 1\]: not those of images"),
        (np.repeat(DRAWN, 2, axis=3), r"'samples' of shape \[9, 8, 8, 2\]"),
        (DRAWN[:0], r"'samples' of shape \[0, 8, 8, 1\]"),
    ],
)
def test_samples_of_another_range_or_shape_are_refused(saved, samples, message):
    with pytest.raises(RequestError, match=message):
        read(saved(samples=samples))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ((DRAWN + 1) / 2, "all 'samples' in x.npz lie in [0, 1]; black is -1 and not 0"),
        (PIXELS // 255, "all 'samples' in x.npz are 0 or 1; white is 255"),
    ],
)
def test_samples_that_are_probably_of_another_range_are_doubted(saved, samples, message):
    said = []
    read(saved(samples=samples), said=said)
    assert [message in line for line in said] == [True]


def test_the_own_samples_of_a_network_without_bounds_are_clipped_and_it_is_said(saved):
    said = []
    wide = np.where(DRAWN == 1, 1.5, DRAWN).astype(np.float32)
    (found,) = read(saved(samples=wide, latents=np.zeros((9, 4))), said=said)
    np.testing.assert_array_equal(found.stored, PIXELS)
    assert said == [
        "x.npz holds 'samples' from -1 to 1.5, not in [-1, 1]: "
        f"{np.mean(wide > 1):.2%} of the numbers are clipped"
    ]


def test_both_sets_are_brought_to_what_was_asked_for(saved):
    path = saved(images=PIXELS)
    assert [each.stored.shape for each in read(path, "photos", channels=3)] == [
        (9, 8, 8, 3),
        (1, 8, 8, 3),
    ]
    assert read(path, "mnist_sample", size=4)[1].stored.shape == (10_000, 4, 4, 1)


@pytest.mark.parametrize(
    ("second", "options", "message"),
    [
        ("photos", {}, r"in grey and in colour \(x\.npz: grey, photos: colour\): give --chan"),
        ("mnist_sample", {}, r"differ in size \(x\.npz: 8 x 8 \(9\); mnist_sample: 28 x 28 \(10,0"),
        ("mnist_sample", {"size": 28}, "x.npz holds samples of 8x8x1, not 28x28x1"),
        ("photos", {"channels": 3}, "x.npz holds samples of 8x8x1, not 8x8x3"),
    ],
)
def test_sets_of_several_shapes_are_refused(saved, second, options, message):
    with pytest.raises(RequestError, match=message):
        read(saved(samples=DRAWN), second, **options)


def test_what_holds_no_samples_is_read_as_images(saved):
    with pytest.raises(RequestError, match="holds x, but no 'images'"):
        read(saved(x=DRAWN))
