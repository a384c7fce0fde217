import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import gan, samples
from tests.tiny import tiny

EXPERIMENT = tiny()
STATE = gan.init(EXPERIMENT, 0)


def test_same_key_and_count_same_bytes():
    first = samples.draw(EXPERIMENT, STATE, 5, key=3)
    assert first.tobytes() == samples.draw(EXPERIMENT, STATE, 5, key=3).tobytes()
    assert not np.array_equal(first, samples.draw(EXPERIMENT, STATE, 5, key=4))
    assert first.shape == (5, 8, 8, 1)
    assert np.abs(first).max() <= 1


def test_samples_do_not_depend_on_how_they_are_batched():
    count = samples.BATCH + 3
    latents = samples.draw_latents(EXPERIMENT, 0, count)
    together = samples.from_latents(EXPERIMENT, STATE, latents)
    alone = samples.from_latents(EXPERIMENT, STATE, latents[-3:])
    np.testing.assert_array_equal(together[-3:], alone)


def test_spherical_paths_keep_the_norm_between_that_of_their_ends():
    experiment = tiny(latent_size=100)
    path = np.asarray(samples.interpolate(experiment, 0, rows=3, columns=9)).reshape(3, 9, 100)
    norms = np.linalg.norm(path, axis=-1)
    ends = norms[:, [0, -1]]
    assert (norms >= ends.min(1, keepdims=True) * 0.99).all()
    assert (norms <= ends.max(1, keepdims=True) * 1.1).all()
    # Equal angles from point to point.
    unit = path / norms[..., None]
    angles = np.arccos((unit[:, 1:] * unit[:, :-1]).sum(-1))
    assert (angles.std(axis=1) < 0.15 * angles.mean(axis=1)).all()


def test_paths_of_a_single_number_are_finite():
    path = samples.interpolate(tiny(latent_size=1), 0, rows=8, columns=4)
    assert np.isfinite(np.asarray(path)).all()


def test_uniform_paths_are_straight():
    experiment = tiny(latent_distribution="uniform")
    path = np.asarray(samples.interpolate(experiment, 0, rows=2, columns=5)).reshape(2, 5, 4)
    np.testing.assert_allclose(path[:, 2], (path[:, 0] + path[:, 4]) / 2, atol=1e-6)


def test_probability_is_the_sigmoid_of_the_logit():
    images = EXPERIMENT.data.batch(0, 0, 10)["sample"]
    logits = np.asarray(gan.discriminate(EXPERIMENT, STATE, jnp.asarray(images)))
    probability = samples.probability_real(EXPERIMENT, STATE, images)
    np.testing.assert_allclose(probability, 1 / (1 + np.exp(-logits)), rtol=1e-5)


@pytest.mark.parametrize("raw", [True, False])
def test_average_or_raw(raw):
    experiment = tiny(ema_decay=0.9)
    state = gan.init(experiment, 0)
    zeroed = state.replace(ema=jax.tree.map(lambda x: x * 0, state.ema))
    drawn = samples.draw(experiment, zeroed, 2, raw=raw)
    assert (np.abs(drawn).max() == 0) == (not raw)
