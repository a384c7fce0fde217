"""What is said of data, whatever their kind."""

import types

import numpy as np
import pytest

from gan_jax.data import dataset


@pytest.mark.parametrize(
    ("labels", "names", "words"),
    [
        ([0, 1, 1], ("cat", "dog"), "3 examples of 2 classes: cat, dog"),
        ([1], ("cat", "dog"), "1 example of 2 classes (1 of them without an example): cat, dog"),
        ([0] * 1000, ("cat",), "1,000 examples of 1 class: cat"),
        ([0, 1], (), "2 examples without classes"),
        (
            range(21),
            tuple("abcdefghijklmnopqrstu"),
            "21 examples of 21 classes: "
            "a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, ..., u",
        ),
    ],
)
def test_examples_and_classes_are_counted_and_named(labels, names, words):
    loaded = types.SimpleNamespace(label=np.array(labels))
    data = types.SimpleNamespace(count=len(labels), class_names=names, load=lambda: loaded)
    assert dataset.in_words(data) == words
