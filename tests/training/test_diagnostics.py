"""The figures of a state, against those computed directly."""

import dataclasses
import json

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import pdist

from gan_jax import features, gan
from gan_jax.common.errors import RequestError
from gan_jax.data import images, points
from gan_jax.sampling import samples
from gan_jax.training import diagnostics
from gan_jax.training.diagnostics import Diagnostics
from gan_jax.training.train import train
from tests.tiny import init, tiny, tiny_points
from tests.tiny_features import blocks, no_classes

WITH_HELD_OUT = images.mnist_sample(split="train", size=8)
COMMON = {
    *("logit_training", "accuracy_training", "logit_samples", "accuracy_samples"),
    "distance_ratio",
}
HELD_OUT = {"logit_held_out", "accuracy_held_out"}


def made(**changes):
    """Diagnostics of a tiny experiment, and its first state."""
    return made_of(tiny(**changes))


def made_of(experiment):
    """Diagnostics of an experiment, and its first state."""
    return Diagnostics.of(experiment), init(experiment, 0)


def drawing(monkeypatch, drawn):
    """Makes the generator's samples these."""
    monkeypatch.setattr(samples, "draw", lambda *_, **__: np.asarray(drawn))


def test_held_out_figures_are_there_where_examples_are_held_out():
    diagnosed, state = made(data=WITH_HELD_OUT)
    assert diagnosed(state).keys() == COMMON | HELD_OUT
    diagnosed, state = made()
    assert diagnosed(state).keys() == COMMON


def test_judgements_are_those_of_the_discriminator():
    diagnosed, state = made(data=WITH_HELD_OUT)
    drawn = samples.draw(diagnosed.experiment, state, diagnostics.COUNT)
    examples = {
        "training": (diagnosed.training["sample"], 1),
        "held_out": (diagnosed.held_out["sample"], 1),
        "samples": (drawn, -1),
    }
    figures = diagnosed(state)
    for name, (sample, sign) in examples.items():
        logits = np.asarray(gan.discriminate(diagnosed.experiment, state, jnp.asarray(sample)))
        assert figures[f"logit_{name}"] == pytest.approx(logits.mean(), rel=1e-4, abs=1e-6)
        assert figures[f"accuracy_{name}"] == pytest.approx((sign * logits > 0).mean(), abs=1 / 256)


def test_the_distance_ratio_is_that_of_the_mean_distances_of_pairs():
    diagnosed, state = made()
    drawn = samples.draw(diagnosed.experiment, state, diagnostics.COUNT)
    distances = [
        pdist(np.float64(x).reshape(256, -1)) for x in (drawn, diagnosed.training["sample"])
    ]
    expected = distances[0].mean() / distances[1].mean()
    assert diagnosed(state)["distance_ratio"] == pytest.approx(expected, rel=1e-3)


def test_the_training_examples_as_samples_are_as_far_apart_as_themselves(monkeypatch):
    diagnosed, state = made()
    drawing(monkeypatch, diagnosed.training["sample"])
    assert diagnosed(state)["distance_ratio"] == 1


def test_equal_samples_have_no_distance(monkeypatch):
    diagnosed, state = made()
    drawing(monkeypatch, np.full_like(diagnosed.training["sample"], 0.5))
    assert diagnosed(state)["distance_ratio"] == 0


def test_class_shares_are_those_of_the_features_classes(monkeypatch):
    diagnosed, state = made(features=features.function(blocks))
    drawn = np.full((256, 4, 2, 4, 2, 1), -1, np.float32)
    drawn[:64, 0, :, 1] = 1  # block 1 is class 1
    drawn[64:, 1, :, 3] = 1  # block 7 is class 7
    drawing(monkeypatch, drawn.reshape(256, 8, 8, 1))
    figures = diagnosed(state)
    shares = [figures[f"class_share_{number}"] for number in range(10)]
    assert shares == [0, 0.25, 0, 0, 0, 0, 0, 0.75, 0, 0]


def test_class_shares_of_points_are_those_of_the_points_themselves():
    network = features.NearestMode(points.ring().centres, 0.06)
    diagnosed, state = made_of(tiny_points(features=network))
    drawn = samples.draw(diagnosed.experiment, state, diagnostics.COUNT)[:200]
    of_modes = network.extract(drawn).probabilities.mean(0)
    figures = diagnosed(state)
    shares = [figures[f"class_share_{number}"] for number in range(8)]
    assert shares == pytest.approx(of_modes)
    assert max(shares) < 1


def test_features_without_classes_have_no_shares():
    diagnosed, state = made(features=features.function(no_classes))
    assert diagnosed(state).keys() == COMMON


def test_the_same_state_gives_the_same_figures():
    diagnosed, state = made(data=WITH_HELD_OUT, features=features.function(blocks))
    again, _ = made(data=WITH_HELD_OUT, features=features.function(blocks))
    assert diagnosed(state) == diagnosed(state) == again(state)


def test_the_averaged_generator_is_the_one_diagnosed():
    diagnosed, state = made(ema_decay=0.9)
    before = diagnosed(state)
    zeros = jax.tree.map(jnp.zeros_like, state.generator.params)
    raw_changed = state.replace(generator=state.generator.replace(params=zeros))
    assert diagnosed(raw_changed) == before
    assert diagnosed(state.replace(ema=(zeros, state.ema[1])))["distance_ratio"] == 0


def test_figures_that_are_not_finite_are_left_out():
    diagnosed, state = made()
    equal = diagnosed.training | {"sample": jnp.zeros_like(diagnosed.training["sample"])}
    figures = dataclasses.replace(diagnosed, training=equal)(state)
    assert figures.keys() == COMMON - {"distance_ratio"}
    nan = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), state.discriminator.params)
    broken = state.replace(discriminator=state.discriminator.replace(params=nan))
    assert not diagnosed(broken).keys() & {"logit_training", "logit_samples"}


class Label(nn.Module):
    """A discriminator that finds high classes real."""

    @nn.compact
    def __call__(self, sample, condition=None, *, training):
        return condition - self.param("threshold", nn.initializers.constant(4.5), ())


class Paint(nn.Module):
    """A generator whose images are as bright as their class."""

    @nn.compact
    def __call__(self, latent, condition=None, *, training):
        brightness = self.param("brightness", nn.initializers.constant(0.1), ())
        return jnp.ones((len(latent), 8, 8, 1)) * brightness * condition[:, None, None, None]


def test_samples_are_of_classes_as_in_the_data_and_judged_as_such():
    data = images.mnist_sample(size=8, labels=True)
    diagnose, state = made(data=data, generator=Paint(), discriminator=Label())
    figures = diagnose(state)
    intended = samples.draw_labels(diagnose.experiment, 0, diagnostics.COUNT)
    assert figures["logit_samples"] == pytest.approx(intended.mean() - 4.5, abs=1e-5)
    assert figures["accuracy_samples"] == pytest.approx((intended < 4.5).mean())
    labels = np.asarray(diagnose.training["condition"])
    assert figures["accuracy_training"] == pytest.approx((labels > 4.5).mean())


def test_examples_are_the_same_each_time_and_of_their_own_split():
    first, again = (Diagnostics.of(tiny(data=WITH_HELD_OUT)) for _ in range(2))
    np.testing.assert_array_equal(first.training["sample"], again.training["sample"])
    of_split = {"training": WITH_HELD_OUT, "held_out": WITH_HELD_OUT.held_out()}
    for name, data in of_split.items():
        there = {image.tobytes() for image in data.load().sample}
        chosen = {i.tobytes() for i in data.to_stored(np.asarray(getattr(first, name)["sample"]))}
        assert len(chosen) > diagnostics.COUNT / 2
        assert chosen <= there


def test_held_out_examples_that_cannot_be_had_do_not_stop_a_run(monkeypatch, caplog):
    def fail(self):
        raise RequestError("the test split is not there")

    monkeypatch.setattr(images.Images, "held_out", fail)
    assert Diagnostics.of(tiny(data=WITH_HELD_OUT)).held_out is None
    assert "the test split is not there" in caplog.text


def test_figures_stand_in_the_line_of_each_step_that_is_sampled(tmp_path):
    train(tiny(steps=9, log_every=4, sample_every=6), tmp_path / "run")
    text = (tmp_path / "run" / "metrics.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["step"] for line in lines] == [4, 6, 8, 9]
    assert ["distance_ratio" in line for line in lines] == [False, True, False, True]
    assert all("generator_loss" in line for line in lines)
