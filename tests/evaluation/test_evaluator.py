"""Scores of a state, against those of samples that are drawn by hand."""

import dataclasses

import numpy as np
import pytest

from gan_jax import features
from gan_jax.data import images
from gan_jax.evaluation import references
from gan_jax.evaluation.evaluator import Evaluator
from gan_jax.features import Extracted
from gan_jax.metrics import frechet
from gan_jax.networks import conditions
from gan_jax.sampling import samples
from tests.tiny import init, tiny


def two_classes(pixels):
    """A feature network that tells dark images from bright ones."""
    means = pixels.reshape(len(pixels), -1, 4).mean(1)
    bright = (means.mean(1) > 100).astype(float)
    return means, np.stack([1 - bright, bright], axis=1)


def test_samples_have_their_labels_as_often_as_the_data(tmp_path, monkeypatch):
    monkeypatch.setattr(references.platformdirs, "user_cache_path", lambda name: tmp_path / name)
    noise = np.random.default_rng(0)
    labels = np.repeat([0, 1], [90, 10])
    pixels = noise.integers(0, 256, (100, 8, 8), np.uint8)
    np.savez(tmp_path / "images.npz", images=pixels, labels=labels)
    experiment = tiny(
        data=images.arrays(tmp_path / "images.npz", 8, 1, labels=True),
        generator=conditions.Generator(tiny().generator, classes=2),
        discriminator=conditions.Discriminator(tiny().discriminator, classes=2),
    )
    state = init(experiment, 0)
    evaluator = Evaluator.of(experiment, features.function(two_classes))
    found = evaluator.scores(state, 80, key=5)
    intended = samples.draw_labels(experiment, 5, 80)
    assert (intended == 0).mean() > 0.8
    drawn = samples.draw(experiment, state, 80, key=5, labels=intended)
    extracted, probabilities = two_classes(experiment.data.to_stored(drawn))
    real = frechet.moments([two_classes(pixels[..., None])[0]])
    expected = frechet.estimate(extracted, real).value
    assert found["frechet_distance"].estimate.value == pytest.approx(expected, rel=1e-6)
    accuracy = (probabilities.argmax(1) == intended).mean()
    assert found["intended_accuracy"].estimate.value == pytest.approx(accuracy)


@dataclasses.dataclass(frozen=True)
class Named:
    """`two_classes`, with names for its classes."""

    class_names: tuple[str, str]
    name = "named"

    def sha256(self):
        return "-".join(self.class_names)

    def extract(self, stored):
        found, probabilities = two_classes(stored)
        return Extracted(found.astype(np.float32), probabilities.astype(np.float32))


def test_labels_are_matched_with_the_classes_of_features_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(references.platformdirs, "user_cache_path", lambda name: tmp_path / name)
    pixels = np.random.default_rng(0).integers(0, 256, (100, 8, 8), np.uint8)
    np.savez(tmp_path / "images.npz", images=pixels, labels=np.arange(100) % 2)
    experiment = tiny(
        data=images.arrays(tmp_path / "images.npz", 8, 1, labels=True),
        generator=conditions.Generator(tiny().generator, classes=2),
        discriminator=conditions.Discriminator(tiny().discriminator, classes=2),
    )
    state = init(experiment, 0)

    def accuracy(names):
        evaluator = Evaluator.of(experiment, Named(names))
        found = evaluator.scores(state, 80, key=5, names=["intended_accuracy"])
        assert ("intended_accuracy" in found) == (
            "intended_accuracy" not in evaluator.unavailable(80)
        )
        return found["intended_accuracy"].estimate.value if found else None

    drawn = samples.draw(experiment, state, 80, 5, labels=samples.draw_labels(experiment, 5, 80))
    bright = two_classes(experiment.data.to_stored(drawn))[1].argmax(1)
    right = np.mean(bright == samples.draw_labels(experiment, 5, 80))
    assert accuracy(("0", "1")) == pytest.approx(right)
    assert accuracy(("1", "0")) == pytest.approx(1 - right)
    assert accuracy(("dark", "bright")) is None
