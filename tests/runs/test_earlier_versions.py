"""Runs that were written before the package moved into folders: commit 45751b3, JAX 0.12.0.1.

The archive holds two runs, a sweep, what every file in experiments/ was encoded as, and the samples
that commit drew of the runs, as they were and after six and three more steps.
"""

import dataclasses
import json
import tarfile
from pathlib import Path

import jax
import numpy as np
import pytest

from gan_jax import features, losses, runs
from gan_jax.augmentation import Adaptive, DiffAugment, InstanceNoise
from gan_jax.data import images, points
from gan_jax.evaluation.of_runs import evaluate_runs
from gan_jax.evaluation.rows import read_rows
from gan_jax.experiment import Experiment
from gan_jax.guard import Guard
from gan_jax.networks import conditions, dcgan, mlp
from gan_jax.optimizers import Adam, Schedule
from gan_jax.penalties import R1, R2, Lazy, Scheduled
from gan_jax.runs import serialisation
from gan_jax.sampling import samples
from gan_jax.sweeps import plan
from gan_jax.sweeps import train as sweep
from gan_jax.training.train import train

ARCHIVE = Path(__file__).with_name("written_at_45751b3.tar.gz")
EXPERIMENTS = Path(__file__).parents[2] / "experiments"

RING = dataclasses.replace(points.ring(), count=500)
POINTS = Experiment(
    generator=mlp.Generator(width=4),
    discriminator=mlp.Discriminator(width=4),
    data=RING,
    loss=losses.RelativisticPairing(),
    penalties=(Lazy(R1(0.1), every=2), Scheduled(R2(0.1), Schedule("linear", 100))),
    augmentations=(InstanceNoise(0.01),),
    generator_optimizer=Adam(
        1e-3, b1=0.0, b2=0.99, eps=1e-7, form="keras", schedule=Schedule("cosine", steps=100)
    ),
    discriminator_optimizer=Adam(1e-3, eps=1e-7, form="keras"),
    latent_size=4,
    batch_size=16,
    ema_decay=0.9,
    guard=Guard(),
    steps=12,
    log_every=3,
    sample_every=6,
    save_every=6,
    evaluate_every=12,
    evaluate_samples=100,
    keep_checkpoints=1,
    features=features.NearestMode(RING.centres, 0.06),
    best_metric="mode_count",
    discriminator_steps=2,
    update_order="alternating",
)
ADAM = Adam(1e-3, b1=0.5, eps=1e-7, form="keras")
DIGITS = Experiment(
    generator=conditions.Generator(dcgan.Generator(width=2), classes=10),
    discriminator=conditions.Discriminator(dcgan.Discriminator(width=2), classes=10),
    data=images.mnist_sample(labels=True),
    loss=losses.NonSaturating(0.1),
    augmentations=(Adaptive(DiffAugment(colour=False)),),
    generator_optimizer=ADAM,
    discriminator_optimizer=ADAM,
    latent_size=4,
    batch_size=16,
    ema_decay=0.9,
    steps=6,
    log_every=3,
    sample_every=3,
    save_every=3,
    keep_checkpoints=1,
    features=features.mnist(),
)


@pytest.fixture
def earlier(tmp_path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def drawn(run: runs.Run, count: int) -> np.ndarray:
    return samples.draw(run.experiment, run.state, count)


# Other versions of JAX, other processors, and several discriminator steps in one compiled loop
# round in their own way.
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


@pytest.mark.parametrize("name, experiment", [("points", POINTS), ("digits", DIGITS)])
def test_a_run_opens_samples_and_goes_on(earlier, name, experiment):
    path = earlier / "runs" / name
    run = runs.load(path)
    assert run.experiment == experiment
    expected = np.load(earlier / "samples.npz")
    np.testing.assert_allclose(drawn(run, len(expected[name])), expected[name], **CLOSE)
    steps = {"points": 18, "digits": 9}[name]
    train(dataclasses.replace(experiment, steps=steps), path)
    further = expected[f"{name}{steps}"]
    np.testing.assert_allclose(drawn(runs.load(path), len(further)), further, **CLOSE)
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(3, steps + 1, 3))


def test_a_changed_experiment_is_still_refused(earlier):
    path = earlier / "runs" / "digits"
    with pytest.raises(Exception, match=r"loss.label_smoothing: 0.1 -> 0.2") as refused:
        train(dataclasses.replace(DIGITS, loss=losses.NonSaturating(0.2)), path)
    (line,) = [line for line in str(refused.value).splitlines() if "->" in line and "loss" in line]
    assert "class" not in line


def test_its_best_checkpoint_and_scores_are_still_its_own(earlier):
    path = earlier / "runs" / "points"
    before = read_rows(path / "evaluation.jsonl")
    assert int(runs.load(path, "best").state.step) == 12
    evaluation = evaluate_runs([path], count=100, announce=lambda _: None)
    own = [row for row in before if row["metric"] == "frechet_distance"]
    found = [row for row in evaluation.rows if row["metric"] == "frechet_distance"]
    assert {row["features_sha256"] for row in found} == {row["features_sha256"] for row in own}


def test_a_sweep_is_still_finished(earlier):
    directory = plan.SweepDirectory(earlier / "runs" / "sweep")
    whole = plan.read(directory)
    assert len(whole.configurations) == 2 and whole.seeds == (0, 1)
    for name in whole.configurations:
        assert sweep.progress(directory, whole, name).finished == 2
    result = sweep.train_sweep(directory, whole, "auto", lambda _: None)
    assert not (result.unfinished or result.failed)


def test_every_experiment_is_still_what_it_was(earlier):
    """Renamed files aside, today's experiments are those that runs were started with."""
    recorded = json.loads((earlier / "experiments.json").read_text())
    parts = recorded.pop("parts")
    for name, encoded in recorded.items():
        if name in ("r3gan_cifar10", "mnist_wgan_clipped"):  # became the authors' recipes
            opened = serialisation.decode(serialisation.up_to_date(encoded))  # what they were
            assert opened.generator_batch == "shared"
            found = json.loads(json.dumps(serialisation.encode(opened)))
            assert serialisation.up_to_date(encoded) == found
            continue
        file = EXPERIMENTS / f"{name.replace('cmnist', 'conditional_mnist')}.py"
        module = serialisation.load_file(file)
        many = [each for _, each in module.experiments()] if isinstance(encoded, list) else None
        now = many[:3] if many else module.experiment
        if name == "stacked_mnist":  # its feature network is a function of the file itself
            assert now.features.sha256().startswith("caea0e9d"), "published scores name it so"
            encoded["features"], now = None, dataclasses.replace(now, features=None)
        found = json.loads(json.dumps(serialisation.encode(now)))
        assert serialisation.up_to_date(encoded) == found, name
    data = (
        images.arrays("a.npz", 28, 1),
        images.folder("photos", 32),
        images.tfds("mnist"),
        images.stacked(images.mnist_sample()),
        points.grid(),
    )
    networks = (features.mnist(), features.classifier("f.npz"), features.inception("inception.pth"))
    for encoded, value in zip(parts, data + networks, strict=True):
        assert serialisation.decode(serialisation.up_to_date(encoded)) == value
        assert serialisation.decode(serialisation.encode(value)) == value


def test_states_have_the_leaves_they_had(earlier):
    run = runs.load(earlier / "runs" / "points")
    names = [
        jax.tree_util.keystr(path, simple=True, separator=".")
        for path, _ in jax.tree_util.tree_leaves_with_path(run.state)
    ]
    assert {name.split(".")[0] for name in names} == {
        "step", "key", "generator", "discriminator", "ema", "statistics", "guard",
    }  # fmt: skip
