"""Some images of each class: how many, which, and what stays as it was."""

import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.data import images
from gan_jax.data.sources import Subset

DIGITS = images.mnist_sample("train", size=8, labels=True)


def rows(data):
    return {row.tobytes() for row in data.load().sample}


@pytest.mark.parametrize("per_class", [3, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]])
def test_so_many_of_each_class_are_there(per_class):
    some = images.subset(DIGITS, per_class)
    np.testing.assert_array_equal(np.bincount(some.load().label), np.full(10, per_class))
    assert rows(some) <= rows(DIGITS)
    of = {row.tobytes(): label for row, label in zip(*_both(DIGITS), strict=True)}
    assert all(of[row.tobytes()] == label for row, label in zip(*_both(some), strict=True))


def test_choices_differ_and_more_contain_fewer():
    few, others = images.subset(DIGITS, 3), images.subset(DIGITS, 3, choice=1)
    assert rows(few) == rows(images.subset(DIGITS, 3))
    assert rows(few) != rows(others)
    assert few.fingerprint() != others.fingerprint()
    assert rows(few) < rows(images.subset(DIGITS, 7))


def test_what_is_held_out_stays_whole_and_features_the_same():
    some = images.subset(images.mnist_sample(labels=True), 2)
    assert some.held_out() == images.mnist_sample("test", labels=True)
    assert some.features() == images.mnist_sample().features()
    assert (some.split, some.classes, some.source.shapes()) == ("train", 10, {(28, 28, 1): 10_000})


@pytest.mark.parametrize("per_class", [0, (1, 0), (), -1])
def test_classes_without_images_are_refused(per_class):
    with pytest.raises(RequestError, match=r"Subset.per_class = .*: must be at least 1"):
        Subset(DIGITS.source, per_class)


@pytest.mark.parametrize(
    ("per_class", "message"),
    [
        (5000, r"per_class = 5000: the class '0' has only \d+ images"),
        ((1, 2), r"per_class = \(1, 2\): 2 numbers for 10 classes"),
    ],
)
def test_too_few_images_are_refused(per_class, message):
    with pytest.raises(RequestError, match=message):
        images.subset(DIGITS, per_class).load()


def test_images_without_labels_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", images=np.zeros((5, 8, 8), np.uint8))
    with pytest.raises(RequestError, match="the images have no labels: the file holds no"):
        images.subset(images.arrays(tmp_path / "x.npz", 8, 1), 2).load()


def _both(data):
    examples = data.load()
    return examples.sample, examples.label
