"""Layers against Flax's with the same parameters, and their initial values."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks.layers import Conv, ConvTranspose, Dropout

PAIRS = [(Conv, nn.Conv), (ConvTranspose, nn.ConvTranspose)]


@pytest.mark.parametrize("layer, flax_layer", PAIRS)
@pytest.mark.parametrize("size", [3, (4, 5)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("use_bias", [True, False])
def test_equals_flax_with_the_same_parameters(layer, flax_layer, size, stride, use_bias):
    x = jax.random.normal(jax.random.key(0), (4, 7, 6, 3))
    pair = (size, size) if isinstance(size, int) else size
    theirs = flax_layer(
        8, pair, (stride, stride), use_bias=use_bias, bias_init=nn.initializers.normal(1.0)
    )
    ours = layer(8, size, stride, use_bias)
    parameters = theirs.init(jax.random.key(1), x)
    assert jax.tree.map(jnp.shape, ours.init(jax.random.key(2), x)) == jax.tree.map(
        jnp.shape, parameters
    )
    np.testing.assert_allclose(
        ours.apply(parameters, x), theirs.apply(parameters, x), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("layer", [Conv, ConvTranspose])
def test_starts_as_in_keras(layer):
    """Glorot-uniform: bounded by, and filling, +-sqrt(6 / (fan_in + fan_out)); biases zero."""
    parameters = layer(64, 5).init(jax.random.key(0), jnp.zeros((1, 8, 8, 32)))["params"]
    limit = np.sqrt(6 / (25 * (32 + 64)))
    kernel = np.asarray(parameters["kernel"])
    assert np.abs(kernel).max() <= limit
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)
    assert not np.any(parameters["bias"])


@pytest.mark.parametrize("layer", [Conv, ConvTranspose])
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float64])
def test_computes_in_the_dtype_of_its_input_with_float32_parameters(layer, dtype):
    with jax.enable_x64(True):
        x = jnp.ones((2, 4, 4, 3), dtype)
        y, variables = layer(5, 3, 2).init_with_output(jax.random.key(0), x)
    assert y.dtype == dtype
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("rate", [0.3, 0.5, 0.9])
def test_dropout_keeps_the_expectation_and_drops_independently(rate):
    """Against the binomial distribution, to 5 standard deviations."""
    x = jnp.full((1001, 999), 2.0)
    y = np.asarray(Dropout(rate).apply({}, x, training=True, rngs={"dropout": jax.random.key(0)}))
    kept = y != 0
    np.testing.assert_allclose(y[kept], 2 / (1 - rate), rtol=1e-4)
    deviation = np.sqrt(rate * (1 - rate) / x.size)
    assert abs(kept.mean() - (1 - rate)) < 5 * deviation
    for neighbour in (kept[1:] & kept[:-1], kept[:, 1:] & kept[:, :-1]):
        assert abs(neighbour.mean() - (1 - rate) ** 2) < 10 * deviation


@pytest.mark.parametrize("rate", [1e-9, 1 - 1e-9])
def test_extreme_rates_of_dropout_stay_finite(rate):
    y = Dropout(rate).apply({}, jnp.ones(7), training=True, rngs={"dropout": jax.random.key(0)})
    assert jnp.isfinite(y).all()


@pytest.mark.parametrize("rate, training", [(0.0, True), (0.7, False)])
def test_without_dropout_nothing_changes_and_no_key_is_needed(rate, training):
    x = jnp.arange(5.0)
    assert np.array_equal(Dropout(rate).apply({}, x, training=training), x)


def test_dropout_keeps_bfloat16():
    y = Dropout(0.3).apply(
        {}, jnp.ones((3, 5), jnp.bfloat16), training=True, rngs={"dropout": jax.random.key(0)}
    )
    assert y.dtype == jnp.bfloat16
