"""Which labels are classes."""

import numpy as np
import pytest

from gan_jax.data.sources import classes

RANDOM = np.random.default_rng(0)


def of(numbers, **options):
    """The labels and names that the numbers lead to."""
    sample = np.zeros((len(numbers), 1, 1, 1), np.uint8)
    examples = classes.of_numbers(sample, np.asarray(numbers), **options)
    label = examples.label
    assert (label is None) == bool(examples.unlabelled) == (not examples.class_names)
    return (None if label is None else label.tolist()), examples.class_names, examples.unlabelled


@pytest.mark.parametrize(
    ("numbers", "count"),
    [
        ([0, 1, 1, 0], 2),
        ([1, 2, 1], 3),  # classes that are not numbered from 0
        ([7, 3, 3], 8),  # a part of the digits
        ([999, 0, 0, 0], 1000),  # a part of ImageNet
        (list(range(6)), 6),
        (RANDOM.permutation(np.repeat(np.arange(3000), 2)).tolist(), 3000),
    ],
)
def test_small_numbers_are_those_of_classes(numbers, count):
    label, names, _ = of(numbers)
    assert label == numbers
    assert names == tuple(map(str, range(count)))


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_few_large_numbers_become_as_many_classes(dtype):
    years = np.array([2021, 2019, 2019, 2021, 2020, 2020], dtype)
    assert of(years)[:2] == ([2, 0, 0, 2, 1, 1], ("2019", "2020", "2021"))
    largest = np.full(6, np.iinfo(dtype).max, dtype)
    assert of(largest)[:2] == ([0] * 6, (str(np.iinfo(dtype).max),))
    assert of(years, name=lambda year: f"y{year}")[1] == ("y2019", "y2020", "y2021")


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        (np.arange(300) + 1761234567, "300 examples have 300 different labels, from 1761234567 to"),
        (np.arange(5) + 20261128, "classes do not; number the classes from 0 on"),
        (np.arange(1001), "1,001 examples have 1,001 different labels"),
        ([-1, 0, 1], "labels go from -1 to 1, and those below 0 mark withheld ones"),
    ],
)
def test_ids_and_withheld_labels_are_none(numbers, reason):
    assert reason in of(numbers)[2]


def test_names_are_judged_by_their_number_likewise():
    sample = np.zeros((1500, 1, 1, 1), np.uint8)
    names = tuple(map(str, range(1500)))
    label = np.arange(1500, dtype=np.int32)
    assert "1,500 examples have 1,500 different labels" in (
        classes.of_names(sample, label, names).unlabelled
    )
    assert classes.of_names(sample, label // 2, names).class_names == names
    assert classes.of_names(sample[:1000], label[:1000], names).class_names == names
