"""Training with these convolutions goes as it does with XLA's own."""

import math

import jax
import numpy as np
import pytest

from gan_jax import gan
from gan_jax.data import images
from gan_jax.experiment import Experiment
from gan_jax.networks import dcgan
from gan_jax.ops import fourier, patches
from gan_jax.optimizers import Adam

EXPERIMENT = Experiment(
    generator=dcgan.Generator(width=16),
    discriminator=dcgan.Discriminator(width=16),
    data=images.mnist_sample(split="test"),
    generator_optimizer=Adam(1e-3, b1=0.5),
    discriminator_optimizer=Adam(1e-3, b1=0.5),
    batch_size=32,
    steps=200,
)


@pytest.fixture
def native(monkeypatch):
    """Makes XLA's own convolutions the cheapest, when called."""

    def switch() -> None:
        for form in (fourier, patches):
            monkeypatch.setattr(form, "cost", lambda *_: math.inf)

    return switch


def trained(seed: int, steps: int, dtype: type) -> tuple[np.ndarray, np.ndarray]:
    """Both losses at every step, and 256 samples of every tenth of the last 50 steps."""
    update = jax.jit(lambda state, batch: gan.update(EXPERIMENT, state, batch))
    generate = jax.jit(lambda state, latent: gan.generate(EXPERIMENT, state, latent))
    state, losses, samples = cast(gan.init(EXPERIMENT, seed), dtype), [], []
    latent = gan.draw_latent(EXPERIMENT, jax.random.key(5), 256)
    for step in range(steps):
        batch = EXPERIMENT.data.batch(seed, step, EXPERIMENT.batch_size)
        state, metrics = update(state, cast(batch, dtype))
        losses.append([metrics["discriminator_loss"], metrics["generator_loss"]])
        if step >= steps - 50 and step % 10 == 9:
            samples.append(np.asarray(generate(state, latent)))
    return np.array(losses), np.array(samples)


def cast(tree, dtype: type):
    return jax.tree.map(lambda leaf: leaf.astype(dtype) if leaf.dtype == np.float32 else leaf, tree)


@pytest.mark.slow
def test_float64_agrees_through_ten_steps(native):
    """In float32 rounding grows tenfold in a few steps, as in any GAN, and hides what differs."""
    with jax.enable_x64(True):
        losses, _ = trained(1, 10, np.float64)
        native()
        native_losses, _ = trained(1, 10, np.float64)
    assert losses.dtype == native_losses.dtype == np.float64
    np.testing.assert_allclose(losses, native_losses, rtol=1e-12)


@pytest.mark.slow
def test_200_steps_agree_at_first_and_are_as_good_at_the_end(native):
    losses, samples = trained(1, EXPERIMENT.steps, np.float32)
    native()
    native_losses, native_samples = trained(1, EXPERIMENT.steps, np.float32)
    assert not np.array_equal(losses, native_losses)  # these were other kernels
    np.testing.assert_allclose(losses[:6], native_losses[:6], rtol=1e-3)
    np.testing.assert_allclose(losses[-50:].mean(0), native_losses[-50:].mean(0), rtol=0.1)
    assert samples.mean() == pytest.approx(native_samples.mean(), abs=0.1)
    assert samples.std(1).mean() == pytest.approx(native_samples.std(1).mean(), abs=0.05)
