"""Convolutions of sequences against Flax's in float64: values, derivatives, transformations."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.ops.conv1d import conv1d, conv1d_transpose, upsampled_conv1d
from tests.ops.test_conv import assert_lowered, derivatives, relative_error

OPERATIONS = {"conv1d": conv1d, "conv1d_transpose": conv1d_transpose}
# (batch, time, taps, inputs, outputs, stride); the third and fourth are WaveGAN's,
# and the sixth has a product of tiles.
CASES = [
    (2, 7, 5, 3, 4, 1),
    (2, 13, 4, 3, 2, 3),
    (4, 64, 25, 1, 16, 4),
    (4, 16, 25, 32, 16, 4),
    (16, 32, 5, 64, 64, 1),
    (32, 512, 25, 8, 16, 4),
    (1, 5, 2, 2, 3, 5),
]


def flax_operation(name, stride):
    layer = {"conv1d": nn.Conv, "conv1d_transpose": nn.ConvTranspose}[name]

    def apply(x, kernel):
        module = layer(kernel.shape[2], kernel.shape[:1], (stride,), use_bias=False)
        return module.apply({"params": {"kernel": kernel}}, x)

    return apply


def operands(batch, time, taps, inputs, outputs, seed=0):
    random = np.random.default_rng(seed)
    kernel = random.normal(size=(taps, inputs, outputs)) / np.sqrt(taps * inputs)
    return random.normal(size=(batch, time, inputs)), kernel


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("name", OPERATIONS)
def test_values_and_both_derivatives_equal_flax(name, case):
    *sizes, stride = case
    x, kernel = operands(*sizes)
    ours = partial(OPERATIONS[name], stride=stride)
    with jax.enable_x64(True):
        theirs = flax_operation(name, stride)
        expected = jax.jit(partial(derivatives, theirs))(x, kernel)
        precise = jax.jit(partial(derivatives, ours))(x, kernel)
    single = jax.jit(partial(derivatives, ours))(np.float32(x), np.float32(kernel))
    for one, two, three in zip(single, precise, expected, strict=True):
        assert one.shape == three.shape
        assert relative_error(one, three) < 2e-5
        assert relative_error(two, three) < 1e-11


@pytest.mark.parametrize("stride", [2, 3, 5])
@pytest.mark.parametrize("taps", [1, 2, 6])
@pytest.mark.parametrize("name", OPERATIONS)
def test_any_kernel_and_stride_equal_flax(name, taps, stride):
    for time in (1, 3, 8, 13):
        x, kernel = map(np.float32, operands(2, time, taps, 2, 3))
        expected = flax_operation(name, stride)(x, kernel)
        found = OPERATIONS[name](x, kernel, stride)
        assert found.shape == expected.shape
        assert relative_error(found, expected) < 2e-5


@pytest.mark.parametrize(("taps", "factor"), [(1, 3), (5, 1), (5, 2), (25, 4), (3, 5)])
def test_upsampling_before_a_convolution_equals_both_in_turn(taps, factor):
    x, kernel = operands(2, 9, taps, 3, 4)

    def separately(x, kernel):
        return flax_operation("conv1d", 1)(jnp.repeat(x, factor, axis=1), kernel)

    with jax.enable_x64(True):
        expected = jax.jit(partial(derivatives, separately))(x, kernel)
    together = partial(upsampled_conv1d, factor=factor)
    found = jax.jit(partial(derivatives, together))(np.float32(x), np.float32(kernel))
    for one, two in zip(found, expected, strict=True):
        assert relative_error(one, two) < 2e-5


@pytest.mark.parametrize(
    ("taps", "factor", "words"), [(4, 2, "4 taps: must be an odd number"), (5, 0, "stride = 0")]
)
def test_what_cannot_be_upsampled_is_refused(taps, factor, words):
    with pytest.raises(RequestError, match=f"upsampled_conv1d: .*{words}"):
        upsampled_conv1d(jnp.zeros((2, 6, 3)), jnp.zeros((taps, 3, 4)), factor)


@pytest.mark.parametrize("name", OPERATIONS)
def test_vmap_over_kernels_equals_a_loop(name):
    drawn = [operands(4, 16, 25, 3, 5, seed=seed) for seed in range(3)]
    x, kernel = (np.float32(np.stack(o)) for o in zip(*drawn, strict=True))
    evaluate = partial(derivatives, partial(OPERATIONS[name], stride=4))
    together = jax.jit(jax.vmap(evaluate))(x, kernel)
    for seed in range(3):
        for one, two in zip(together, evaluate(x[seed], kernel[seed]), strict=True):
            assert relative_error(one[seed], two) < 2e-5


@pytest.mark.parametrize("name", OPERATIONS)
def test_bfloat16_stays_bfloat16_and_is_as_accurate(name):
    x, kernel = (jnp.asarray(o, jnp.bfloat16) for o in operands(4, 16, 25, 8, 5))
    expected = flax_operation(name, 4)(x.astype(jnp.float32), kernel.astype(jnp.float32))
    measured, pull = jax.vjp(lambda *o: OPERATIONS[name](*o, 4), x, kernel)
    assert [o.dtype for o in (measured, *pull(measured))] == [jnp.bfloat16] * 3
    assert relative_error(measured.astype(jnp.float32), expected) < 2**-7


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_accelerators_get_native_convolutions(name, platform):
    def penalty(x, kernel):
        parts = derivatives(partial(OPERATIONS[name], stride=4), x, kernel)
        return sum(jnp.sum(part**2) for part in parts)

    shapes = [jax.ShapeDtypeStruct(o.shape, jnp.float32) for o in operands(4, 16, 25, 8, 5)]
    module = jax.export.export(jax.jit(penalty), platforms=[platform])(*shapes).mlir_module()
    assert "stablehlo.convolution" in module
    assert "dot_general" not in module


@pytest.mark.parametrize(
    ("x", "kernel", "stride", "words"),
    [
        ((2, 6, 3), (5, 3, 4), 0, "stride = 0: must be an integer of at least 1"),
        (
            (2, 6),
            (5, 3, 4),
            1,
            r"x has shape \(2, 6\) and kernel .*: must be \[batch, time, inputs",
        ),
        ((2, 6, 3), (5, 2, 4), 1, "as many channels as the kernel has inputs"),
    ],
)
@pytest.mark.parametrize("name", OPERATIONS)
def test_what_does_not_fit_is_refused(name, x, kernel, stride, words):
    with pytest.raises(RequestError, match=f"{name}: .*{words}"):
        OPERATIONS[name](jnp.zeros(x), jnp.zeros(kernel), stride)


def test_layers_of_wavegan_are_tiles_on_cpu():
    layer = partial(conv1d, stride=4)
    assert_lowered(layer, (32, 2048, 16), (25, 16, 32), "winograd", "winograd", "winograd")
    layer = partial(conv1d_transpose, stride=4)
    assert_lowered(layer, (32, 512, 32), (25, 32, 16), "winograd", "winograd", "winograd")
