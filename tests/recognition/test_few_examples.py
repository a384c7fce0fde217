"""What samples are worth beside few real examples, with samples that are known."""

import dataclasses
import functools

import numpy as np
import pytest

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.data import images
from gan_jax.evaluation.rows import read_rows
from gan_jax.networks import conditions
from gan_jax.networks.classifier import Classifier
from gan_jax.recognition import few_examples, task
from gan_jax.recognition.classifier_training import Labelled
from gan_jax.recognition.few_examples import AUGMENTED, BOTH, GENERATED, REAL, recognise_few
from gan_jax.training.train import train
from tests.tiny import tiny

DATA = images.mnist_sample(size=8, labels=True)


def measure(paths, per_class, **how):
    """Few samples, and few steps of small classifiers."""
    fast = {"count": 400, "classifiers": 2, "classifier_steps": 150, "announce": len}
    return recognise_few(task.open_task(paths, **fast | how), per_class)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Runs of two seeds and one step, on 30 digits of each class."""
    base = tiny(data=images.subset(DATA, 30), steps=1)
    experiment = dataclasses.replace(
        base,
        generator=conditions.Generator(base.generator, classes=10),
        discriminator=conditions.Discriminator(base.discriminator, classes=10),
    )
    workdir = tmp_path_factory.mktemp("few") / "run"
    train(experiment, workdir, seeds=(0, 1))
    return runs.all_seeds(workdir)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Makes classifiers small."""
    monkeypatch.setattr(task, "Classifier", functools.partial(Classifier, 8, 16))


def values(rows, trained_on, number):
    return [
        row["value"]
        for row in rows
        if row.get("trained_on") == trained_on and row["per_class"] == number and "class" not in row
    ]


@pytest.mark.slow
def test_samples_as_good_as_examples_help_where_examples_are_few(paths, monkeypatch):
    examples = DATA.load()
    drawn = Labelled(examples.sample[-400:], examples.label[-400:])
    monkeypatch.setattr(few_examples, "draw", lambda *_: drawn)
    rows = measure(paths[:1], [1, 30]).rows
    (few,), (both,), (alone,) = (values(rows, of, 1) for of in (AUGMENTED, BOTH, GENERATED))
    assert few < 0.5 < both
    assert abs(both - alone) < 0.15
    assert values(rows, GENERATED, 1) == values(rows, GENERATED, 30)
    assert values(rows, AUGMENTED, 30)[0] > few
    gains = {
        row["per_class"]: row["value"]
        for row in rows
        if row["metric"] == "accuracy_gain" and "class" not in row
    }
    assert gains[1] == pytest.approx(both - few)
    assert gains[1] > gains[30]


@pytest.mark.slow
def test_noise_does_not_help(paths, monkeypatch):
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (400, 8, 8, 1), dtype=np.uint8)
    drawn = Labelled(noise, random.integers(10, size=400, dtype=np.int32))
    monkeypatch.setattr(few_examples, "draw", lambda *_: drawn)
    rows = measure(paths[:1], [30]).rows
    (alone,) = values(rows, GENERATED, 30)
    assert alone < 0.3
    assert values(rows, AUGMENTED, 30)[0] > 0.5


def test_each_classifier_has_examples_of_its_own_and_what_generators_saw_is_said(
    paths, monkeypatch
):
    seen = []
    real_fit = task.trained.fit

    def spy(data, examples, recipe, seed):
        seen.append((len(examples.label), recipe.augmented, seed))
        return real_fit(data, examples, recipe, seed)

    monkeypatch.setattr(task.trained, "fit", spy)
    measured = measure(paths, [4], count=100, classifier_steps=1)
    of_run = [(128, True), (128, False), (128, True), (200, True)]
    assert seen == [
        (*kind, seed) for seeds in ((0, 1), (2, 3)) for kind in of_run for seed in seeds
    ]
    assert (
        "generators have seen 300 real examples, more than the classifiers of 4"
        in measured.facts[1]
    )
    same = measure(paths, [30], count=100, classifier_steps=1)
    assert same.facts[1] == "generators have seen 300 real examples"
    rows = read_rows(paths[1] / "recognition.jsonl")
    assert rows == [row for row in (*measured.rows, *same.rows) if row["seed"] == 1]
    assert {row["generator_examples"] for row in rows} == {300}
    assert {row.get("trained_on") for row in rows} == {REAL, AUGMENTED, GENERATED, BOTH, None}


def test_more_examples_than_there_are_are_refused(paths):
    with pytest.raises(RequestError, match=r"-class 31: .* 300 examples, .* only 30"):
        measure(paths, [5, 31])


def test_mixtures_have_as_many_real_examples_as_samples():
    real = Labelled(np.arange(3), np.arange(3, dtype=np.int32))
    drawn = Labelled(np.arange(10, 17), np.arange(7, dtype=np.int32))
    mixed = few_examples._mixed(real, drawn)
    np.testing.assert_array_equal(mixed.sample, [0, 1, 2, 0, 1, 2, 0, *range(10, 17)])
    assert len(mixed.label) == 14
