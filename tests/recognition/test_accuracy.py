"""Accuracies of classifiers: closed forms, and one that has learnt."""

import numpy as np
import pytest

from gan_jax.data import images
from gan_jax.networks.classifier import Classifier
from gan_jax.recognition import accuracy
from gan_jax.recognition.classifier_training import Labelled, Recipe

DIGITS = images.mnist_sample(size=8, labels=True)


def labelled(data, count):
    examples = data.load()
    return Labelled(examples.sample[:count], examples.label[:count])


@pytest.fixture(scope="module")
def trained():
    recipe = Recipe(Classifier(width=8, feature_size=16), steps=200)
    return accuracy.train(DIGITS, labelled(DIGITS, 2_000), recipe, seed=0)


def test_accuracies_count_what_is_right(monkeypatch):
    network = Classifier(classes=4)
    guesses = np.array([0, 0, 1, 1, 3, 3])
    monkeypatch.setattr(accuracy.Trained, "classes", lambda self, stored: guesses)
    truth = np.array([0, 1, 1, 1, 3, 0], np.int32)
    found = accuracy.Trained(network, DIGITS, {}).accuracy(Labelled(np.zeros(6), truth))
    assert found.overall == pytest.approx(4 / 6)
    np.testing.assert_allclose(found.of_class, [1 / 2, 2 / 3, np.nan, 1])


def test_a_classifier_learns_and_batches_do_not_matter(trained, monkeypatch):
    test = labelled(DIGITS.held_out(), 1_000)
    found = trained.accuracy(test)
    assert found.overall > 0.7
    assert found.overall == pytest.approx(np.mean(trained.classes(test.sample) == test.label))
    together = trained.classes(test.sample)
    monkeypatch.setattr(accuracy, "BATCH", 300)  # the last one is not full
    np.testing.assert_array_equal(trained.classes(test.sample), together)


def test_wrong_labels_teach_nothing_right(trained):
    """Labels one further are learnt as well, and then all classes are wrong."""
    examples = labelled(DIGITS, 2_000)
    shifted = Labelled(examples.sample, (examples.label + 1) % 10)
    recipe = Recipe(trained.network, steps=200)
    test = labelled(DIGITS.held_out(), 1_000)
    found = accuracy.train(DIGITS, shifted, recipe, seed=0)
    assert found.accuracy(test).overall < 0.1
    assert found.accuracy(Labelled(test.sample, (test.label + 1) % 10)).overall > 0.7
