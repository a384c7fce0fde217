"""Classifiers that have learnt, from right labels and from wrong ones."""

import numpy as np
import pytest

from gan_jax.data import images
from gan_jax.networks.classifier import Classifier
from gan_jax.recognition import trained as module
from gan_jax.recognition.classifier_training import Labelled, Recipe

DIGITS = images.mnist_sample(size=8, labels=True)


def labelled(data, count):
    examples = data.load()
    return Labelled(examples.sample[:count], examples.label[:count])


@pytest.fixture(scope="module")
def trained():
    recipe = Recipe(Classifier(width=8, feature_size=16), steps=200)
    return module.fit(DIGITS, labelled(DIGITS, 2_000), recipe, seed=0)


def test_a_classifier_learns_and_batches_do_not_matter(trained, monkeypatch):
    test = labelled(DIGITS.held_out(), 1_000)
    right = trained.right(test)
    assert right.mean() > 0.7
    np.testing.assert_array_equal(right, trained.classes(test.sample) == test.label)
    together = trained.classes(test.sample)
    monkeypatch.setattr(module, "BATCH", 300)  # the last one is not full
    np.testing.assert_array_equal(trained.classes(test.sample), together)


def test_wrong_labels_teach_nothing_right(trained):
    """Labels one further are learnt as well, and then all classes are wrong."""
    examples = labelled(DIGITS, 2_000)
    shifted = Labelled(examples.sample, (examples.label + 1) % 10)
    recipe = Recipe(trained.network, steps=200)
    test = labelled(DIGITS.held_out(), 1_000)
    found = module.fit(DIGITS, shifted, recipe, seed=0)
    assert found.right(test).mean() < 0.1
    assert found.right(Labelled(test.sample, (test.label + 1) % 10)).mean() > 0.7
