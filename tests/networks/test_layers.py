"""Layers against Flax's with the same parameters, and their initial values."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.networks.layers import (
    Conv,
    Conv1d,
    ConvTranspose,
    ConvTranspose1d,
    Dropout,
    Normalise,
    SelfAttention,
    Spectral,
    UpsampledConv1d,
)

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


def test_groups_equal_flax_with_the_same_parameters():
    x = jax.random.normal(jax.random.key(0), (4, 7, 6, 12))
    theirs = nn.Conv(8, (3, 3), feature_group_count=4)
    parameters = theirs.init(jax.random.key(1), x)
    ours = Conv(8, 3, groups=4)
    assert jax.tree.map(jnp.shape, ours.init(jax.random.key(2), x)) == jax.tree.map(
        jnp.shape, parameters
    )
    np.testing.assert_allclose(ours.apply(parameters, x), theirs.apply(parameters, x), atol=1e-5)
    with pytest.raises(RequestError, match=r"Conv\.groups = 0: must be at least 1"):
        Conv(8, 3, groups=0)


@pytest.mark.parametrize(
    ("layer", "flax_layer"), [(Conv1d, nn.Conv), (ConvTranspose1d, nn.ConvTranspose)]
)
@pytest.mark.parametrize("use_bias", [True, False])
def test_layers_of_sequences_equal_flax_with_the_same_parameters(layer, flax_layer, use_bias):
    x = jax.random.normal(jax.random.key(0), (4, 9, 3))
    theirs = flax_layer(8, (5,), (2,), use_bias=use_bias, bias_init=nn.initializers.normal(1.0))
    parameters = theirs.init(jax.random.key(1), x)
    ours = layer(8, 5, 2, use_bias)
    assert jax.tree.map(jnp.shape, ours.init(jax.random.key(2), x)) == jax.tree.map(
        jnp.shape, parameters
    )
    np.testing.assert_allclose(ours.apply(parameters, x), theirs.apply(parameters, x), atol=1e-5)
    with pytest.raises(RequestError, match=f"{layer.__name__}.kernel_size = 0: must be at least 1"):
        layer(8, 0)


def test_upsampled_convolutions_have_the_parameters_of_a_convolution():
    x = jax.random.normal(jax.random.key(0), (4, 9, 3))
    convolution = nn.Conv(8, (5,), bias_init=nn.initializers.normal(1.0))
    expected, parameters = convolution.init_with_output(jax.random.key(1), jnp.repeat(x, 3, axis=1))
    found = UpsampledConv1d(8, 5, 3).apply(parameters, x)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(RequestError, match=r"UpsampledConv1d\.kernel_size = 4: must be an odd"):
        UpsampledConv1d(8, 4)


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


@pytest.mark.parametrize("layer", [Conv, ConvTranspose])
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kernel_size": 0}, r"kernel_size = 0: must be \(height, width\) or one number"),
        ({"kernel_size": (3, -1)}, r"kernel_size = \(3, -1\): must be \(height, width\)"),
        ({"stride": 0}, "stride = 0: must be at least 1"),
        ({"features": 0}, "features = 0: must be at least 1"),
    ],
)
def test_fields_that_do_not_fit_are_refused(layer, fields, words):
    with pytest.raises(RequestError, match=f"{layer.__name__}.{words}"):
        layer(**{"features": 4, "kernel_size": 3} | fields)


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


KINDS = ["batch", "layer", "none"]


@pytest.mark.parametrize("kind", KINDS)
def test_normalisations_by_name(kind):
    x = 3 + 2 * jax.random.normal(jax.random.key(0), (16, 5, 5, 4))
    y, variables = Normalise(kind).init_with_output(jax.random.key(1), x, training=True)
    axes = {"batch": (0, 1, 2), "layer": (1, 2, 3), "none": ()}[kind]
    if kind == "none":
        np.testing.assert_array_equal(y, x)
        assert variables == {}
    else:
        np.testing.assert_allclose(y.mean(axes), 0, atol=1e-5)
        np.testing.assert_allclose(y.std(axes), 1, rtol=1e-3)
        assert ("batch_stats" in variables) == (kind == "batch")


def test_conditional_batch_norm_scales_and_shifts_by_class():
    x = jax.random.normal(jax.random.key(0), (6, 3, 3, 4))
    condition = jnp.array([0, 2, 1, 1, 0, 2])
    layer = Normalise("batch", classes=3)
    variables = layer.init(jax.random.key(1), x, condition, training=True)
    assert variables["params"]["scales"].shape == (3, 4)
    plain, _ = Normalise("batch").init_with_output(jax.random.key(1), x, training=True)
    y, _ = layer.apply(variables, x, condition, training=True, mutable=["batch_stats"])
    np.testing.assert_allclose(y, plain, atol=1e-6)  # starts as the unconditional one
    params = {
        "scales": jnp.arange(12.0).reshape(3, 4),
        "shifts": -jnp.arange(12.0).reshape(3, 4),
    }
    y, _ = layer.apply(
        {**variables, "params": params}, x, condition, training=True, mutable=["batch_stats"]
    )
    expected = (
        plain * params["scales"][condition][:, None, None]
        - params["scales"][condition][:, None, None]
    )
    np.testing.assert_allclose(y, expected, atol=1e-5)


def largest_singular_value(kernel):
    return np.linalg.svd(np.asarray(kernel).reshape(-1, kernel.shape[-1]), compute_uv=False)[0]


def test_a_normalisation_refuses_what_it_would_ignore():
    with pytest.raises(
        RequestError, match=r"Normalise\.classes = 3: must be 0 with kind = 'layer'"
    ):
        Normalise("layer", classes=3)


@pytest.mark.parametrize(
    "layer, shape",
    [
        (functools.partial(nn.Dense, 6), (8, 5)),
        (functools.partial(Conv, 6, 3, 2), (8, 6, 6, 4)),
    ],
)
def test_spectral_normalisation_divides_by_the_largest_singular_value(layer, shape):
    x = jax.random.normal(jax.random.key(0), shape)
    normalised = Spectral(layer)
    variables = normalised.init(jax.random.key(1), x, training=True)
    params = variables["params"]
    for _ in range(60):  # power iterations
        y, changed = normalised.apply(variables, x, training=True, mutable=["spectral"])
        variables = {"params": params, **changed}
    sigma = largest_singular_value(params["layer"]["kernel"])
    plain = layer()
    scaled = {**params["layer"], "kernel": params["layer"]["kernel"] / sigma}
    np.testing.assert_allclose(y, plain.apply({"params": scaled}, x), rtol=1e-3, atol=1e-4)
    # Without training the stored vector is used and nothing changes.
    again = normalised.apply(variables, x, training=False)
    np.testing.assert_allclose(again, y, rtol=1e-3, atol=1e-4)
    inactive = Spectral(layer, active=False).apply({"params": params}, x, training=True)
    np.testing.assert_allclose(inactive, plain.apply({"params": params["layer"]}, x), rtol=1e-6)


def test_the_gradient_goes_through_the_singular_value():
    """Scaling a kernel changes nothing: its gradient has no part along the kernel."""
    x = jax.random.normal(jax.random.key(0), (8, 5))
    layer = Spectral(functools.partial(nn.Dense, 6, use_bias=False))
    variables = layer.init(jax.random.key(1), x, training=True)
    for _ in range(60):
        _, changed = layer.apply(variables, x, training=True, mutable=["spectral"])
        variables = {**variables, **changed}

    def total(params):
        return jnp.sin(layer.apply({**variables, "params": params}, x, training=False)).sum()

    gradient = jax.grad(total)(variables["params"])["layer"]["kernel"]
    kernel = variables["params"]["layer"]["kernel"]
    along = float((gradient * kernel).sum())
    assert abs(along) < 1e-3 * float(jnp.linalg.norm(gradient) * jnp.linalg.norm(kernel))
    assert float(jnp.linalg.norm(gradient)) > 0.1


def test_attention_starts_as_the_identity_and_then_sees_everything():
    x = jax.random.normal(jax.random.key(0), (2, 4, 6, 8))
    layer = SelfAttention()
    y, variables = layer.init_with_output(jax.random.key(1), x, training=True)
    np.testing.assert_array_equal(y, x)
    params = {**variables["params"], "gain": jnp.float32(1.0)}

    def corner(x):
        return layer.apply({"params": params}, x, training=True)[0, 0, 0].sum()

    reached = jnp.abs(jax.grad(corner)(x)).sum(-1)
    # Through the maximum of each 2 x 2 places all of the map, and no other example.
    coarse = reached[0].reshape(2, 2, 3, 2).sum((1, 3))
    assert (coarse > 0).all()
    assert not reached[1].any()


def test_attention_by_hand():
    x = jax.random.normal(jax.random.key(0), (1, 2, 2, 8))
    layer = SelfAttention()
    variables = layer.init(jax.random.key(1), x, training=True)
    params = {**variables["params"], "gain": jnp.float32(2.0)}
    kernels = {name: params[name]["layer"]["kernel"] for name in ("query", "value", "output")}
    # The coarse map has one place: all weights are 1.
    seen = (x @ kernels["value"]).max((1, 2)) @ kernels["output"]
    y = layer.apply({"params": params}, x, training=True)
    np.testing.assert_allclose(y, x + 2 * seen[:, None, None], rtol=1e-5, atol=1e-5)
