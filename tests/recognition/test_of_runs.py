"""What `recognise_runs` measures, with runs whose samples are known."""

import dataclasses
import functools
import shutil
from pathlib import Path

import numpy as np
import pytest

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.data import audio, images
from gan_jax.evaluation.compare import compare, kinds_measured
from gan_jax.evaluation.rows import read_rows
from gan_jax.networks import conditions
from gan_jax.networks.classifier import Classifier
from gan_jax.recognition import classifier_training, of_runs, task
from gan_jax.recognition.classifier_training import Labelled
from gan_jax.recognition.of_runs import recognise_runs
from gan_jax.training.train import train
from tests.tiny import tiny

DATA = images.mnist_sample(size=8, labels=True)
COUNT = 500


def measure(paths, out=None, **how):
    """Few samples, and few steps of small classifiers."""
    fast = {"count": COUNT, "classifiers": 2, "classifier_steps": 40, "announce": len}
    return recognise_runs(task.open_task(paths, **fast | how), out)


def conditional(data=DATA, **changes):
    base = tiny(data=data)
    return dataclasses.replace(
        base,
        generator=conditions.Generator(base.generator, classes=10),
        discriminator=conditions.Discriminator(base.discriminator, classes=10),
        steps=1,
        **changes,
    )


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Two seeds of one step."""
    workdir = tmp_path_factory.mktemp("recognise") / "run"
    train(conditional(), workdir, seeds=(0, 1))
    return workdir


@pytest.fixture
def paths(directory, monkeypatch):
    """Its runs, measured by small classifiers."""
    monkeypatch.setattr(task, "Classifier", functools.partial(Classifier, 8, 16))
    found = runs.all_seeds(directory)
    for path in found:
        (path / "recognition.jsonl").unlink(missing_ok=True)
    return found


def values(rows, metric, parameters, name=None):
    return [
        row["value"]
        for row in rows
        if (row["metric"], row["parameters"], row.get("class")) == (metric, parameters, name)
    ]


def test_samples_that_are_the_real_examples_are_worth_as_much(paths, monkeypatch):
    """Then each classifier sees the same batches, and what is right is the same to the bit."""
    order = of_runs.batch_indices(10_000, seed=0, step=0, batch_size=COUNT)
    examples = DATA.load()
    drawn = Labelled(examples.sample[order], examples.label[order])
    monkeypatch.setattr(of_runs, "draw", lambda *_: drawn)
    rows = measure(paths).rows
    assert values(rows, "gan_train", "raw") == values(rows, "gan_train", "real")
    assert values(rows, "gan_train", "raw", "3") == values(rows, "gan_train", "real", "3")
    assert len(values(rows, "gan_train", "raw")) == 2


@pytest.mark.slow
def test_collapse_is_seen_by_gan_train_and_not_by_gan_test(paths, monkeypatch):
    examples = DATA.load()
    firsts = np.array([np.flatnonzero(examples.label == label)[0] for label in range(10)])
    order = firsts[np.arange(COUNT) % 10]
    collapsed = Labelled(examples.sample[order], examples.label[order])
    monkeypatch.setattr(of_runs, "draw", lambda *_: collapsed)
    rows = measure(paths[:1], classifier_steps=200).rows
    (of_samples,), (of_real,) = (values(rows, "gan_train", who) for who in ("raw", "real"))
    assert of_samples < of_real - 0.1
    (of_test,) = values(rows, "gan_test", "raw")
    assert of_test > of_real - 0.1


def test_what_is_measured_is_recorded_for_each_class_and_in_place(paths):
    found = measure(paths)
    assert found.unrecorded == ()
    for seed, path in enumerate(paths):
        rows = read_rows(path / "recognition.jsonl")
        assert rows == [row for row in found.rows if row["seed"] == seed]
        overall = [row for row in rows if "class" not in row]
        kinds = [("gan_train", "raw"), ("gan_test", "raw"), ("gan_train", "real")]
        assert [(row["metric"], row["parameters"]) for row in overall] == kinds
        assert [(row["samples"], row["real_samples"]) for row in overall] == [
            (COUNT, 10_000),
            (COUNT, 10_000),
            (COUNT, 10_000),
        ]
        assert len(rows) == 3 * 11
        # Of all classes, weighted by how many examples each has.
        shares = np.bincount(DATA.held_out().load().label) / 10_000
        mean = sum(
            share * values(rows, "gan_train", "real", name)[0]
            for name, share in zip(DATA.class_names, shares, strict=True)
        )
        assert mean == pytest.approx(values(rows, "gan_train", "real")[0])
    again = measure(paths)
    assert again.rows == found.rows
    assert len(read_rows(paths[0] / "recognition.jsonl")) == 33


def test_configurations_are_compared_by_what_classifiers_learn(paths, directory):
    assert kinds_measured([directory]) == ["evaluation"]
    measure(paths)
    assert kinds_measured([directory]) == ["recognition"]
    basis, rows = compare([directory], "recognition")
    assert str(basis).startswith("features 2 classifiers of 40 steps, sha256 ")
    assert str(basis).endswith(", 500 samples, key 0")
    assert {row.metric for row in rows} == {"gan_train", "gan_test"}
    assert all(len(row.values) == 2 for row in rows)


def test_samples_are_of_the_classes_that_they_are_tested_for(paths, monkeypatch):
    """The fake generator shows the label that it is asked for as a grey value."""

    def in_parts(experiment, state, latents, raw=False, labels=None):
        for part in filter(len, np.split(labels, [100, 270])):
            grey = part[:, None, None, None] / 127.5 - 1  # which is stored as the label
            yield np.broadcast_to(grey, (len(part), 8, 8, 1)).astype(np.float32)

    monkeypatch.setattr(task.samples, "in_parts", in_parts)
    opened = task.open_task(paths, None, "latest", 2, 1, 3, len)
    for labels in (opened.labels(), opened.labels()[:300], np.array([7, 3, 3])):
        drawn = task.draw(opened, opened.opened[0], labels)
        np.testing.assert_array_equal(drawn.sample[:, 3, 5, 0], drawn.label)
        np.testing.assert_array_equal(drawn.label, labels)
    counts = np.bincount(DATA.load().label)
    np.testing.assert_array_equal(np.bincount(opened.labels()), counts)
    twice = dataclasses.replace(opened, count=20_000).labels()
    np.testing.assert_array_equal(np.bincount(twice), 2 * counts)


def test_recipes_keep_the_hash_by_which_earlier_measurements_are_known():
    recipe = classifier_training.Recipe(Classifier(classes=10), 2000)
    assert task._hash(recipe).startswith("9afb55d4")


def test_samples_that_are_not_finite_are_found_before_anything_is_trained(paths, monkeypatch):
    def in_parts(*_, **__):
        yield np.full((256, 8, 8, 1), np.nan, np.float32)

    monkeypatch.setattr(task.samples, "in_parts", in_parts)
    monkeypatch.setattr(task.trained, "fit", None)
    with pytest.raises(RequestError, match=r"seed_0: the samples of step 1 are not finite"):
        measure(paths)


def test_gan_test_takes_all_real_examples_and_gan_train_as_many_as_samples(paths, monkeypatch):
    seen = []
    real_fit = task.trained.fit

    def spy(data, examples, recipe, seed):
        seen.append((len(examples.label), seed))
        return real_fit(data, examples, recipe, seed)

    monkeypatch.setattr(task.trained, "fit", spy)
    facts = measure(paths[:1], classifier_steps=1).facts
    assert seen == [(number, seed) for number in (COUNT, 10_000, COUNT) for seed in (0, 1)]
    assert "on 500 real examples" in facts[0] and "trained on 10,000 real" in facts[0]


@pytest.mark.slow
def test_more_samples_than_examples_stand_beside_all_of_them(paths, monkeypatch):
    monkeypatch.setattr(of_runs, "draw", lambda *_: _labelled(DATA, 100))
    found = measure(paths[:1], count=10_001, classifier_steps=1)
    assert "trained on 10,001 samples, or on 10,000 real examples" in found.facts[0]
    (row,) = (r for r in found.rows if r["parameters"] == "real" and "class" not in r)
    assert row["samples"] == 10_000


def _labelled(data, count):
    examples = data.load()
    return Labelled(examples.sample[:count], examples.label[:count])


def test_a_configuration_that_is_measured_in_part_is_left_out(paths, directory, tmp_path, caplog):
    whole = shutil.copytree(directory, tmp_path / "whole")
    measure(runs.all_seeds(whole), classifier_steps=1)
    measure(paths[:1], classifier_steps=1)
    _, rows = compare([directory, whole], "recognition")
    assert {row.configuration.path for row in rows} == {whole}
    assert f"gan-jax recognise {directory}" in caplog.text
    (paths[0] / "recognition.jsonl").write_text('{"metric": "gan_train", "value": 1}\n{"metric')
    assert kinds_measured([directory]) == ["evaluation"]


def test_too_few_classifiers_are_refused_before_runs_are_opened():
    with pytest.raises(RequestError, match="1 classifiers of 5 steps: must be at least 2 and 1"):
        task.open_task([Path("nowhere")], classifiers=1, classifier_steps=5)


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        (tiny(steps=1), "was trained without labels"),
        (
            conditional(images.mnist_sample("test", size=8, labels=True)),
            "have no held-out examples",
        ),
    ],
)
def test_runs_that_cannot_be_measured_are_refused(tmp_path, experiment, message):
    train(experiment, tmp_path / "run")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RequestError, match=message):
        measure([tmp_path / "run"])
    assert sorted(tmp_path.rglob("*")) == before


def test_waveforms_are_refused():
    data = audio.folder("never read", labels=True)
    experiment = dataclasses.replace(tiny(), data=data)
    with pytest.raises(RequestError, match=r"of shape \[8192, 1\]; classifiers take images"):
        task._held_out(experiment, Path("run"))
