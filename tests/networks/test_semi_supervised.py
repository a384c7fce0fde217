"""The perceptrons of semi-supervised learning against NumPy, and their noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from gan_jax.common.errors import RequestError
from gan_jax.networks import semi_supervised

DISCRIMINATOR = semi_supervised.Discriminator(classes=3, widths=(6, 5))
GENERATOR = semi_supervised.Generator((4, 4, 1), width=7)
SAMPLES = jnp.asarray(np.random.default_rng(0).normal(size=(8, 4, 4, 1)), jnp.float32)
LATENTS = jnp.asarray(np.random.default_rng(1).normal(size=(8, 5)), jnp.float32)


def drawn(module, inputs):
    """Variables of which none has its first value."""
    variables = module.init(jax.random.key(0), inputs, training=False)
    random = np.random.default_rng(2)
    return jax.tree.map(lambda leaf: leaf + random.uniform(0.1, 0.3, leaf.shape), variables)


def normalised(params, index, x):
    """A dense layer whose weights for each unit have the length `scale`."""
    of, scales = params[f"Dense_{index}"], params[f"WeightNorm_{index}"]
    (scale,) = scales.values()
    kernel = of["kernel"] / np.linalg.norm(of["kernel"], axis=0) * scale
    return x @ kernel + of["bias"]


def test_the_classifier_is_that_of_the_paper():
    variables = drawn(DISCRIMINATOR, SAMPLES)
    x = np.asarray(SAMPLES).reshape(8, -1)
    for layer in range(2):
        x = np.maximum(normalised(variables["params"], layer, x), 0)
    expected = normalised(variables["params"], 2, x)
    found = DISCRIMINATOR.apply(variables, SAMPLES, training=False)
    np.testing.assert_allclose(found.features, x, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.class_logits, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.logits, special.logsumexp(expected, axis=1), rtol=1e-5)


def test_noise_is_added_in_training_only():
    variables = drawn(DISCRIMINATOR, SAMPLES)

    def logits(key, module=DISCRIMINATOR):
        rngs = {"dropout": jax.random.key(key)}
        return module.apply(variables, SAMPLES, training=True, rngs=rngs).logits

    still = DISCRIMINATOR.apply(variables, SAMPLES, training=False).logits
    assert not np.allclose(logits(0), still)
    assert not np.allclose(logits(0), logits(1))
    quiet = DISCRIMINATOR.clone(input_noise=0.0, noise=0.0)
    np.testing.assert_allclose(logits(0, quiet), still, rtol=1e-6)


def test_the_generator_normalises_its_batch():
    variables = drawn(GENERATOR, LATENTS)
    found, changed = GENERATOR.apply(variables, LATENTS, training=True, mutable="batch_stats")
    assert found.shape == (8, 4, 4, 1) and np.abs(found).max() <= 1
    x, params = np.asarray(LATENTS), variables["params"]
    for layer in range(2):
        x = x @ params[f"Dense_{layer}"]["kernel"]
        x = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) + params[f"BatchNorm_{layer}"]["bias"]
        x = np.logaddexp(x, 0)
    of, (scale,) = params["Dense_2"], params["WeightNorm_0"].values()
    expected = x @ (of["kernel"] / np.linalg.norm(of["kernel"], axis=0) * scale) + of["bias"]
    np.testing.assert_allclose(found.reshape(8, -1), np.tanh(expected), rtol=1e-3, atol=1e-4)
    assert "batch_stats" in changed


@pytest.mark.parametrize(("network", "inputs"), [(GENERATOR, LATENTS), (DISCRIMINATOR, SAMPLES)])
def test_labels_are_refused(network, inputs):
    with pytest.raises(RequestError, match="networks take no condition"):
        network.init(jax.random.key(0), inputs, np.zeros(8, np.int32), training=False)


def test_wrong_fields_are_refused():
    with pytest.raises(RequestError, match=r"Discriminator\.classes = 1: must be at least 2"):
        semi_supervised.Discriminator(classes=1)
    with pytest.raises(RequestError, match=r"Generator\.width = 0: must be at least 1"):
        semi_supervised.Generator(width=0)
