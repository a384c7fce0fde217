"""What `recognise_runs` measures, with runs whose samples are known."""

import dataclasses
import functools
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
from gan_jax.recognition import of_runs
from gan_jax.recognition.classifier_training import Labelled
from gan_jax.recognition.of_runs import recognise_runs
from gan_jax.training.train import train
from tests.tiny import tiny

DATA = images.mnist_sample(size=8, labels=True)
COUNT = 500
measure = functools.partial(
    recognise_runs, count=COUNT, classifiers=2, classifier_steps=40, announce=lambda line: None
)


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
    monkeypatch.setattr(of_runs, "Classifier", functools.partial(Classifier, 8, 16))
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
    held = {}
    order = of_runs.batch_indices(10_000, seed=0, step=0, batch_size=COUNT)
    examples = DATA.load()
    held["drawn"] = Labelled(examples.sample[order], examples.label[order])
    monkeypatch.setattr(of_runs, "_drawn", lambda run, count, key: held["drawn"])
    rows = measure(paths).rows
    assert values(rows, "gan_train", "raw") == values(rows, "gan_train", "real")
    assert values(rows, "gan_train", "raw", "3") == values(rows, "gan_train", "real", "3")
    assert len(values(rows, "gan_train", "raw")) == 2


def test_collapse_is_seen_by_gan_train_and_not_by_gan_test(paths, monkeypatch):
    examples = DATA.load()
    firsts = np.array([np.flatnonzero(examples.label == label)[0] for label in range(10)])
    order = firsts[np.arange(COUNT) % 10]
    collapsed = Labelled(examples.sample[order], examples.label[order])
    monkeypatch.setattr(of_runs, "_drawn", lambda run, count, key: collapsed)
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
            (COUNT, COUNT),
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
    assert str(basis) == "features of 2 classifiers, 40 steps each, 500 samples, key 0"
    assert {row.metric for row in rows} == {"gan_train", "gan_test"}
    assert all(len(row.values) == 2 for row in rows)


def test_samples_have_the_labels_that_they_are_tested_for(paths, monkeypatch):
    """The generator is asked for the very labels that the classifiers learn."""
    asked = []
    real_in_parts = of_runs.samples.in_parts

    def in_parts(experiment, state, latents, raw=False, labels=None):
        asked.append(labels)
        return real_in_parts(experiment, state, latents, raw, labels)

    monkeypatch.setattr(of_runs.samples, "in_parts", in_parts)
    drawn = of_runs._drawn(runs.load(paths[0]), 300, key=3)
    np.testing.assert_array_equal(drawn.label, asked[0])
    assert drawn.sample.shape == (300, 8, 8, 1)
    assert drawn.sample.dtype == np.uint8


def test_more_samples_than_examples_stand_beside_all_of_them(paths, monkeypatch):
    said = []
    monkeypatch.setattr(of_runs, "_drawn", lambda run, count, key: _labelled(DATA, 100))
    found = recognise_runs(paths[:1], 10_001, "latest", 2, 1, announce=said.append)
    assert said == ["beside 10,001 samples: all 10,000 real examples"]
    (row,) = (r for r in found.rows if r["parameters"] == "real" and "class" not in r)
    assert row["samples"] == 10_000


def _labelled(data, count):
    examples = data.load()
    return Labelled(examples.sample[:count], examples.label[:count])


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
        of_runs._held_out(experiment, Path("run"))
