"""What samples are worth where classes are rare, with samples that are known."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.data import images
from gan_jax.evaluation.rows import read_rows
from gan_jax.networks import conditions
from gan_jax.networks.classifier import Classifier
from gan_jax.recognition import classifier_training, task, unbalanced
from gan_jax.recognition.classifier_training import Labelled, Recipe
from gan_jax.recognition.unbalanced import (
    AUGMENTED,
    FILLED,
    OVERSAMPLED,
    WEIGHTED,
    recognise_unbalanced,
)
from gan_jax.reports import terminal
from gan_jax.training.train import train
from tests.tiny import tiny

DATA = images.mnist_sample(size=8, labels=True)
COUNTS = np.array([60] * 9 + [1])


def start(data, workdir, seeds=(0,)):
    base = tiny(data=data, steps=1)
    experiment = dataclasses.replace(
        base,
        generator=conditions.Generator(base.generator, classes=10),
        discriminator=conditions.Discriminator(base.discriminator, classes=10),
    )
    train(experiment, workdir, seeds=seeds)
    return runs.all_seeds(workdir)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Runs of two seeds and one step, on 60 digits of each class but the last, which has one."""
    data = images.subset(DATA, COUNTS.tolist())
    return start(data, tmp_path_factory.mktemp("unbalanced") / "run", seeds=(0, 1))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Makes classifiers small."""
    monkeypatch.setattr(task, "Classifier", functools.partial(Classifier, 8, 16))


def measure(paths, steps=150):
    opened = task.open_task(paths, classifiers=2, classifier_steps=steps, announce=len)
    return recognise_unbalanced(opened)


def test_samples_as_good_as_examples_help_a_rare_class(paths, monkeypatch, capsys):
    examples = DATA.load()
    of_rare = np.flatnonzero(examples.label == 9)[-59:]
    wanted = []

    def draw(_task, _run, labels):
        wanted.extend(labels)
        return Labelled(examples.sample[of_rare], examples.label[of_rare])

    monkeypatch.setattr(unbalanced, "draw", draw)
    measured = measure(paths[:1])
    assert wanted == [9] * 59
    rare = {
        row.get("trained_on", row["metric"]): row["value"]
        for row in measured.rows
        if row.get("class") == "9"
    }
    assert list(rare) == [AUGMENTED, OVERSAMPLED, WEIGHTED, FILLED, "accuracy_gain"]
    assert rare[AUGMENTED] < 0.1 < rare[FILLED] - 0.2
    assert rare["accuracy_gain"] == pytest.approx(rare[FILLED] - rare[OVERSAMPLED])
    assert "of a class up to 60, of 9 only 1" in measured.facts[1]
    assert list(measured.rows) == read_rows(paths[0] / "recognition.jsonl")
    terminal.show_accuracies(measured)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[-11:]]
    assert [line[:2] for line in lines] == [
        ["all", "541"], ["9", "1"], *([str(digit), "60"] for digit in range(9)),
    ]  # fmt: skip


def test_each_kind_of_classifier_learns_from_what_its_name_says(paths, monkeypatch, capsys):
    seen = []
    real_fit = task.trained.fit

    def spy(data, examples, recipe, seed):
        counts = np.bincount(examples.label).tolist()
        nines = len(np.unique(examples.sample[examples.label == 9], axis=0))
        seen.append((counts, nines > 1, recipe.class_weights is not None, recipe.augmented, seed))
        return real_fit(data, examples, recipe, seed)

    monkeypatch.setattr(task.trained, "fit", spy)
    measured = measure(paths, steps=1)
    there, equal = COUNTS.tolist(), [60] * 10
    kinds = [(there, False, False), (equal, False, False), (there, False, True)]
    kinds.append((equal, True, False))
    assert seen == [
        (*kind, True, seed) for seeds in ((0, 1), (2, 3)) for kind in kinds for seed in seeds
    ]
    assert {row["labels"] for row in measured.rows} == {unbalanced.LABELS}
    assert {row["drawn"] for row in measured.rows} == {59}
    terminal.show_accuracies(measured)
    of_all = capsys.readouterr().out.splitlines()[-11]
    (shown,) = {
        row["value"]
        for row in measured.rows
        if (row.get("trained_on"), row.get("class"), row["seed"]) == (AUGMENTED, None, 0)
    }
    assert f"{shown:.4g} (" not in of_all  # as it is the mean of different classifiers


def test_balanced_classes_are_refused(tmp_path):
    balanced = start(images.subset(DATA, 5), tmp_path / "balanced")
    with pytest.raises(RequestError, match="each class has 5 examples, so there is nothing to"):
        measure(balanced)


def test_a_class_that_only_its_name_declares_stays_empty(paths):
    opened = task.open_task(paths[:1], classifiers=2, classifier_steps=1, announce=len)
    two = opened.real.at(np.flatnonzero(np.isin(opened.real.label, [8, 9])))
    rows = recognise_unbalanced(dataclasses.replace(opened, real=two)).rows
    assert {row["drawn"] for row in rows} == {59}
    assert {row["class_examples"] for row in rows if "class" in row} == {0, 1, 60}
    counts = np.bincount(two.label)
    assert np.bincount(unbalanced._oversampled(two, counts).label)[8:].tolist() == [60, 60]


class Linear(Classifier):
    """A classifier without normalisation, which would make an example's loss depend on others."""

    @nn.compact
    def __call__(self, images, *, training):
        self.variable("batch_stats", "none", jnp.zeros, ())
        return images, nn.Dense(2)(images.reshape(len(images), -1))


def test_weights_have_the_loss_of_examples_taken_again_and_again():
    random = np.random.default_rng(0)
    image = jnp.asarray(random.normal(size=(3, 8, 8, 1)), jnp.float32)
    label = np.array([0, 0, 1])
    weights = unbalanced._weights(np.bincount(label))
    assert weights == (0.75, 1.5)
    recipe = Recipe(Linear(classes=2), 10, augmented=False)
    key = jax.random.key(0)
    state = classifier_training.init(recipe, (8, 8, 1), key)

    def loss(recipe, positions):
        examples = image[positions], jnp.asarray(label[positions])
        return classifier_training.update(recipe, key, state, *examples)[1]["loss"]

    weighted = dataclasses.replace(recipe, class_weights=weights)
    again = unbalanced._oversampled(Labelled(np.arange(3), label), np.bincount(label)).sample
    assert again.tolist() == [0, 1, 2, 2]
    expected = float(loss(recipe, again))
    assert float(loss(weighted, np.arange(3))) == pytest.approx(expected, rel=1e-5)
    assert float(loss(recipe, np.arange(3))) != pytest.approx(expected, rel=1e-2)
