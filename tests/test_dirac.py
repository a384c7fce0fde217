"""The Dirac-GAN follows the trajectories that Mescheder, Geiger, Nowozin (2018) derive."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import gan, losses, penalties
from gan_jax.augmentation import InstanceNoise
from gan_jax.runs.serialisation import load_experiment

DIRAC = load_experiment(Path(__file__).parents[1] / "experiments" / "dirac.py")
FREE = dataclasses.replace(DIRAC, penalties=())
ALTERNATING = dataclasses.replace(FREE, update_order="alternating")
STEPS = 600


def distances(experiment):
    """How far (theta, psi) is from the solution (0, 0) after each step."""

    def step(state, _):
        batch = {"sample": jnp.zeros((experiment.examples_per_step, 2)), "condition": None}
        state, _ = gan.update(experiment, state, batch)
        point = (state.generator.params["theta"], state.discriminator.params["psi"])
        return state, jnp.linalg.norm(jnp.concatenate(point))

    _, found = jax.lax.scan(step, gan.init(experiment, 0), length=STEPS)
    return np.asarray(found) / 2  # at the start both are (1, 1)


# Whose generator's gradient is the discriminator's, mirrored.
ZERO_SUM = [losses.Minimax(), losses.Wasserstein()]
# Whose generator pushes harder: the same dynamics here, as the logit of the origin is always 0.
LOGISTIC = [losses.NonSaturating(), losses.RelativisticPairing()]
ALL = ZERO_SUM + LOGISTIC


@pytest.mark.parametrize("loss", ZERO_SUM)
def test_without_a_penalty_simultaneous_steps_spiral_outwards(loss):
    """Section 2.1, lemma 2.3: each step multiplies the distance by more than 1."""
    found = distances(dataclasses.replace(FREE, loss=loss))
    assert (np.diff(found) > -1e-6).all()
    assert found[-1] > 1.3


def test_the_spiral_of_the_wasserstein_loss_is_exact():
    """theta -= rate * -psi, psi -= rate * theta: a rotation, and a factor (1 + rate^2)^0.5."""
    found = distances(dataclasses.replace(FREE, loss=losses.Wasserstein()))
    expected = 1.01 ** (np.arange(1, STEPS + 1) / 2)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


@pytest.mark.parametrize("loss", LOGISTIC)
@pytest.mark.parametrize("base", [FREE, ALTERNATING])
def test_the_non_saturating_loss_alone_is_slow(loss, base):
    """Section 2.1, and appendix D.1: closer and closer, but not at a linear rate."""
    found = distances(dataclasses.replace(base, loss=loss))
    assert found[-1] < 0.3
    assert 0.8 < found[-1] / found[-100] < 1


@pytest.mark.parametrize("loss", ZERO_SUM)
def test_without_a_penalty_alternating_steps_circle(loss):
    """Lemma 2.4: neither away nor towards the solution."""
    found = distances(dataclasses.replace(ALTERNATING, loss=loss))
    assert found.min() > 0.5 and found.max() < 2
    assert abs(found[-200:].mean() / found[:200].mean() - 1) < 0.1


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize("kind", [penalties.R1, penalties.R2])
def test_zero_centred_penalties_converge(loss, kind):
    """Section 4.1: also where it is linear, so that R1 and R2 are the same."""
    found = distances(dataclasses.replace(DIRAC, loss=loss, penalties=(kind(1.0),)))
    assert found[-1] < 1e-3


def test_instance_noise_converges():
    """Section 3.2: towards a distance that the noise of the batches keeps it at."""
    noisy = dataclasses.replace(FREE, augmentations=(InstanceNoise(1.0),), batch_size=2000)
    found = distances(noisy)
    assert found[-100:].mean() < 0.05


@pytest.mark.parametrize("order", ["simultaneous", "alternating"])
@pytest.mark.parametrize("kind", [penalties.GradientPenalty, penalties.Dragan])
def test_penalties_that_want_a_slope_of_one_do_not_converge(kind, order):
    """Section 3.1, lemma 3.1, of WGAN-GP: at the solution the slope is 0."""
    pulled = dataclasses.replace(
        FREE, loss=losses.Wasserstein(), penalties=(kind(1.0),), update_order=order
    )
    found = distances(pulled)
    assert found[-200:].min() > 0.05
