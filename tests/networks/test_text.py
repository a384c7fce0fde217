"""The text networks against the same computation in NumPy, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from gan_jax.common.errors import RequestError
from gan_jax.networks import text

GENERATOR = text.Generator(vocabulary=7, length=6, width=4)
DISCRIMINATOR = text.Discriminator(width=4)
LATENTS = jnp.asarray(np.random.default_rng(0).normal(size=(3, 5)), jnp.float32)
SAMPLES = jnp.asarray(np.random.default_rng(1).dirichlet(np.ones(7), (3, 6)), jnp.float32)


def drawn(module, inputs):
    """Parameters with biases that are not zero."""
    params = module.init(jax.random.key(0), inputs, training=True)["params"]
    random = np.random.default_rng(2)
    return jax.tree.map(lambda leaf: leaf + random.normal(0, 0.1, leaf.shape), params)


def dense(of, x):
    return x @ of["kernel"] + of["bias"]


def conv(of, x):
    """A convolution along the second axis, of kernel 5, with zeros beyond the ends."""
    padded = np.pad(x, ((0, 0), (2, 2), (0, 0)))
    windows = np.stack([padded[:, i : i + x.shape[1]] for i in range(5)])
    return np.einsum("kbli,kio->blo", windows, of["kernel"]) + of["bias"]


def blocks(params, x):
    for block in range(5):
        y = conv(params[f"Conv1d_{2 * block}"], np.maximum(x, 0))
        x = x + 0.3 * conv(params[f"Conv1d_{2 * block + 1}"], np.maximum(y, 0))
    return x


def test_the_generator_is_that_of_the_paper():
    params = drawn(GENERATOR, LATENTS)
    x = dense(params["Dense_0"], LATENTS).reshape(3, 6, 4)
    expected = special.softmax(dense(params["Dense_1"], blocks(params, x)), axis=-1)
    found = GENERATOR.apply({"params": params}, LATENTS, training=True)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_the_critic_is_that_of_the_paper():
    params = drawn(DISCRIMINATOR, SAMPLES)
    x = blocks(params, dense(params["Dense_0"], SAMPLES))
    expected = dense(params["Dense_1"], x.reshape(3, -1))[:, 0]
    found = DISCRIMINATOR.apply({"params": params}, SAMPLES, training=True)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_kernels_start_as_large_as_in_the_authors_code():
    params = text.Generator(50, 32, 256).init(jax.random.key(0), jnp.ones((1, 128)), training=True)
    of = params["params"]
    # Uniform, of variance 4 / (fan_in + fan_out) before a ReLU, and 2 / (fan_in + fan_out) else.
    assert np.var(of["Conv1d_0"]["kernel"]) == pytest.approx(4 / (2 * 5 * 256), rel=0.02)
    assert np.var(of["Dense_0"]["kernel"]) == pytest.approx(2 / (128 + 32 * 256), rel=0.02)
    assert np.abs(of["Conv1d_0"]["kernel"]).max() <= np.sqrt(12 / (2 * 5 * 256))


@pytest.mark.parametrize(("network", "inputs"), [(GENERATOR, LATENTS), (DISCRIMINATOR, SAMPLES)])
def test_labels_are_refused(network, inputs):
    with pytest.raises(RequestError, match="networks take no condition"):
        network.init(jax.random.key(0), inputs, np.zeros(3, np.int32), training=True)


def test_wrong_fields_are_refused():
    with pytest.raises(RequestError, match=r"Generator\.width = 0: must be at least 1"):
        text.Generator(7, width=0)
