"""Errors of a discriminator that is a classifier, on data for which there is no feature network."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from gan_jax import features, gan, runs
from gan_jax.common.errors import RequestError
from gan_jax.data import images
from gan_jax.data.few_labels import few_labels
from gan_jax.evaluation import classification
from gan_jax.evaluation.compare import compare
from gan_jax.evaluation.evaluator import Evaluator
from gan_jax.evaluation.of_runs import evaluate_runs
from gan_jax.evaluation.rows import read_rows
from gan_jax.experiment import Experiment
from gan_jax.losses import NonSaturating, SemiSupervised
from gan_jax.networks import dcgan, semi_supervised
from gan_jax.runs import checkpoints
from gan_jax.sweeps import search
from gan_jax.sweeps.plan import SweepDirectory
from gan_jax.training.train import train
from tests.tiny_features import blocks

TESTS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images of two classes, `train` beside `test`."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for split, count in (("train", 8), ("test", TESTS // 2)):
        for name in ("dark", "light"):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 256, (8, 8), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{number}.png")
    return folder / "train"


@pytest.fixture(scope="module")
def experiment(folder):
    return Experiment(
        generator=semi_supervised.Generator((8, 8, 1), width=8),
        discriminator=semi_supervised.Discriminator(2, (16, 8)),
        data=few_labels(images.folder(folder, size=8, channels=1), 2),
        loss=SemiSupervised(),
        latent_size=5,
        batch_size=8,
        steps=4,
        save_every=2,
        evaluate_every=2,
    )


def test_a_run_without_a_feature_network_counts_errors_alone(experiment, tmp_path):
    path = tmp_path / "run"
    train(experiment, path)
    rows = read_rows(path / "evaluation.jsonl")
    assert [(row["step"], row["metric"]) for row in rows] == [(2, "test_error"), (4, "test_error")]
    assert {row["samples"] for row in rows} == {TESTS}
    printed = (path / "log.txt").read_text()
    assert f"{TESTS} held-out examples" in printed
    assert "best        none is kept, as frechet_distance was not measured" in printed
    assert not checkpoints.steps(path / "best")

    announced = []
    evaluation = evaluate_runs([path], announce=announced.append)
    (row,) = evaluation.rows
    state = runs.load(path).state
    assert row["value"] == classification.test_error(experiment, state)["test_error"].estimate.value
    assert row["value"] == rows[-1]["value"]
    assert "there is no feature network for these data" in announced[0]
    assert evaluate_runs([path], 500, key=3, announce=announced.append).rows == (row,)
    basis, (comparison,) = compare([path])
    assert str(basis) == "no feature network"
    assert comparison.metric == "test_error"
    assert comparison.values == [row["value"]]
    evaluate_runs([path], 60, network=features.function(blocks), announce=announced.append)
    basis, _ = compare([path])
    assert str(basis).startswith("features tests.tiny_features:blocks")


def test_no_errors_are_counted_of_other_discriminators(experiment):
    other = dataclasses.replace(experiment, discriminator=dcgan.Discriminator(width=2))
    assert not classification.test_error(other, gan.init(other, 0))
    with pytest.raises(RequestError, match="there is no feature network for these data"):
        Evaluator.of(dataclasses.replace(other, loss=NonSaturating()))


def test_held_out_examples_must_have_the_labels_of_those_to_train_on(experiment, tmp_path):
    for split, names in (("train", ("dark", "light")), ("test", ("dark", "grey"))):
        for name in names:
            (tmp_path / split / name).mkdir(parents=True)
            for number in range(2):
                pixels = np.full((8, 8), 10 * number, np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / name / f"{number}.png")
    data = few_labels(images.folder(tmp_path / "train", size=8, channels=1), 1)
    tried = dataclasses.replace(experiment, data=data)
    for network in (None, features.function(blocks)):
        with pytest.raises(RequestError, match="classes that are not trained on: grey"):
            Evaluator.of(tried, network)


def test_a_search_needs_a_feature_network(experiment, tmp_path):
    directory = SweepDirectory(tmp_path / "search")
    space = search.Space(experiment, (), (), (0,), tmp_path / "experiment.py")
    with pytest.raises(RequestError, match="frechet_distance cannot be measured: there is no"):
        search.search(directory, space, 1, "auto", print)
    assert not directory.path.exists()
