"""Convolutions against Flax's in float64: values, derivatives, transformations, lowerings."""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from gan_jax.common.errors import RequestError
from gan_jax.ops import winograd
from gan_jax.ops.conv import conv, conv_transpose

OPERATIONS = {"conv": conv, "conv_transpose": conv_transpose}
TOLERANCE = 2e-5
# (batch, maps, kernel, inputs, outputs): small ones, which XLA convolves directly, and ones whose
# cost sends them through the Fourier domain on CPU.
SMALL = [
    (1, (1, 1), (5, 5), 1, 1),
    (2, (4, 4), (1, 1), 3, 2),
    (2, (5, 8), (3, 2), 3, 4),
    (3, (9, 4), (4, 5), 1, 3),
    (1, (2, 3), (5, 4), 2, 1),
]
LARGE = [
    (32, (7, 7), (5, 5), 32, 32),
    (16, (4, 4), (5, 5), 16, 32),
    (16, (8, 6), (4, 5), 48, 64),
    (64, (5, 5), (3, 3), 64, 64),
]


def flax_operation(name: str, stride: int) -> Callable:
    """What the operation replaces: the layer of Flax, as a function of maps and kernel."""
    layer = {"conv": nn.Conv, "conv_transpose": nn.ConvTranspose}[name]

    def apply(x, kernel):
        module = layer(kernel.shape[3], kernel.shape[:2], (stride, stride), use_bias=False)
        return module.apply({"params": {"kernel": kernel}}, x)

    return apply


def operands(batch, size, kernel, inputs, outputs, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(batch, *size, inputs))
    return x, random.normal(size=(*kernel, inputs, outputs))


def derivatives(operation: Callable, x, kernel) -> tuple:
    """Value, gradients of a nonlinear scalar, and gradients of their squared norm."""

    def scalar(x, kernel):
        return jnp.sum(jnp.cos(operation(x, kernel)))

    def penalty(x, kernel):
        gradients = jax.grad(scalar, (0, 1))(x, kernel)
        return sum(jnp.sum(gradient**2) for gradient in gradients)

    x, kernel = jnp.asarray(x), jnp.asarray(kernel)
    value = operation(x, kernel)
    return value, *jax.grad(scalar, (0, 1))(x, kernel), *jax.grad(penalty, (0, 1))(x, kernel)


def relative_error(measured, reference) -> float:
    reference = np.asarray(reference, np.float64)
    difference = np.abs(np.asarray(measured, np.float64) - reference)
    return float(difference.max() / max(np.abs(reference).max(), 1e-30))


def assert_agrees(name: str, case: tuple, stride: int) -> None:
    x, kernel = operands(*case)
    kernel = kernel / np.sqrt(kernel[..., 0].size)  # keeps the cosine's argument near one
    with jax.enable_x64(True):
        expected = jax.jit(lambda *o: derivatives(flax_operation(name, stride), *o))(x, kernel)
        exact = jax.jit(lambda *o: derivatives(lambda *p: OPERATIONS[name](*p, stride), *o))
        precise = exact(x, kernel)
    x, kernel = np.float32(x), np.float32(kernel)
    single = jax.jit(lambda *o: derivatives(lambda *p: OPERATIONS[name](*p, stride), *o))(x, kernel)
    for number, (one, two, three) in enumerate(zip(single, precise, expected, strict=True)):
        assert one.shape == three.shape
        assert (one.dtype, two.dtype) == (np.float32, np.float64)
        assert relative_error(one, three) < TOLERANCE, f"float32, derivative {number}"
        assert relative_error(two, three) < 1e-11, f"float64, derivative {number}"


@pytest.mark.parametrize("stride", [1, 2, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", SMALL + LARGE, ids=str)
@pytest.mark.parametrize("name", OPERATIONS)
def test_values_and_both_derivatives_equal_flax(name, case, stride):
    assert_agrees(name, case, stride)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    name=st.sampled_from(sorted(OPERATIONS)),
    batch=st.integers(1, 9),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    inputs=st.sampled_from([1, 3, 16, 40]),
    outputs=st.sampled_from([1, 2, 24]),
    stride=st.sampled_from([1, 2]),
)
def test_any_shape_equals_flax(name, batch, size, kernel, inputs, outputs, stride):
    x, w = (np.float32(o) for o in operands(batch, size, kernel, inputs, outputs))
    measured, pull = jax.vjp(lambda *o: OPERATIONS[name](*o, stride), x, w)
    with jax.enable_x64(True):
        wide = flax_operation(name, stride)
        expected, pull_wide = jax.vjp(wide, np.float64(x), np.float64(w))
        gradients = pull_wide(jnp.cos(expected))
    assert measured.shape == expected.shape
    assert relative_error(measured, expected) < TOLERANCE
    for one, two in zip(pull(np.float32(np.cos(expected))), gradients, strict=True):
        assert relative_error(one, two) < TOLERANCE


@pytest.fixture
def tiles_only(monkeypatch):
    """All convolutions of stride 1 as products of tiles, which small ones are not by the rule."""
    monkeypatch.setattr(winograd, "cost", lambda *_: 0)
    monkeypatch.setattr(winograd, "cost_up", lambda *_: 0)


TILED = [(2, (9, 1), (7, 1), 3, 4), (2, (9, 6), (3, 3), 3, 4)]


@pytest.mark.parametrize("case", TILED, ids=str)
@pytest.mark.parametrize("name", OPERATIONS)
def test_values_and_both_derivatives_of_tiles_equal_flax(name, case, tiles_only):
    assert_agrees(name, case, stride=1)


@pytest.mark.parametrize("case", TILED, ids=str)
def test_tiles_of_several_kernels_in_a_loop_and_in_bfloat16(case, tiles_only):
    x, _ = operands(*case)
    kernels = np.stack([operands(*case, seed=seed)[1] for seed in range(3)])
    x, kernels = jnp.asarray(x, jnp.bfloat16), jnp.asarray(kernels, jnp.bfloat16)
    together = jax.jit(jax.vmap(conv, (None, 0)))(x, kernels)
    _, scanned = jax.jit(lambda x, kernels: lax.scan(lambda _, k: (_, conv(x, k)), 0, kernels))(
        x, kernels
    )
    assert together.dtype == scanned.dtype == jnp.bfloat16
    wide, apply = x.astype(jnp.float32), flax_operation("conv", 1)
    for one, two, kernel in zip(together, scanned, kernels, strict=True):
        expected = apply(wide, kernel.astype(jnp.float32))
        assert relative_error(one.astype(jnp.float32), expected) < 2**-7
        assert relative_error(two.astype(jnp.float32), expected) < 2**-7


@pytest.mark.parametrize("case", [SMALL[2], LARGE[0]], ids=str)
@pytest.mark.parametrize("name", OPERATIONS)
def test_bfloat16_stays_bfloat16_and_is_as_accurate(name, case):
    x, kernel = (jnp.asarray(o, jnp.bfloat16) for o in operands(*case))
    expected = flax_operation(name, 2)(x.astype(jnp.float32), kernel.astype(jnp.float32))
    measured, pull = jax.vjp(lambda *o: OPERATIONS[name](*o, 2), x, kernel)
    assert [o.dtype for o in (measured, *pull(measured))] == [jnp.bfloat16] * 3
    assert relative_error(measured.astype(jnp.float32), expected) < 2**-7


@pytest.mark.parametrize("stride", [pytest.param(1, marks=pytest.mark.slow), 2])
@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)], ids=str)
def test_vmap_equals_a_loop(axes, name, stride):
    case = LARGE[1]
    seeds = [operands(*case, seed=seed) for seed in range(3)]
    x, kernel = (
        np.float32(np.stack(o) if axis == 0 else o[0])
        for o, axis in zip(zip(*seeds, strict=True), axes, strict=True)
    )

    def evaluate(x, kernel):
        return derivatives(lambda *o: OPERATIONS[name](*o, stride), x, kernel)

    together = jax.jit(jax.vmap(evaluate, axes))(x, kernel)
    for i in range(3):
        alone = jax.jit(evaluate)(
            *(o if axis is None else o[i] for o, axis in zip((x, kernel), axes, strict=True))
        )
        for one, two in zip(together, alone, strict=True):
            assert relative_error(one[i], two) < TOLERANCE


def test_scan_and_while_loop_equal_a_python_loop():
    x, kernel = (np.float32(o) for o in operands(16, (4, 4), (5, 5), 16, 16))
    kernel = kernel / 20

    def body(x):
        return jnp.tanh(conv(x, kernel, 1))

    expected = x
    for _ in range(3):
        expected = body(expected)
    scanned, _ = lax.scan(lambda x, _: (body(x), None), x, length=3)
    looped = lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, body(c[1])), (0, x))[1]
    assert relative_error(scanned, expected) < TOLERANCE
    assert relative_error(looped, expected) < TOLERANCE


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", OPERATIONS)
def test_shard_map_accepts_every_derivative(name, stride):
    """All platforms' forms must agree on what varies between devices."""
    mesh = jax.sharding.AbstractMesh((2,), ("seed",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.PartitionSpec("seed")

    def of_one_seed(x, kernel):
        parts = derivatives(lambda *o: OPERATIONS[name](*o, stride), x[0], kernel[0])
        return jax.tree.map(lambda part: part[None], parts)

    shapes = [jax.ShapeDtypeStruct((2, *o.shape), jnp.float32) for o in operands(*LARGE[0])]
    mapped = jax.shard_map(of_one_seed, mesh=mesh, in_specs=(spec, spec), out_specs=spec)
    value, gradient, *_ = jax.eval_shape(mapped, *shapes)
    assert (value.shape[0], gradient.shape) == (2, shapes[0].shape)


def scalar_of_all_maps(name: str, stride: int) -> Callable:
    def penalty(x, kernel):
        return sum(
            jnp.sum(part**2)
            for part in derivatives(lambda *o: OPERATIONS[name](*o, stride), x, kernel)
        )

    return penalty


GROUPED = [(2, (5, 4), (3, 2), 2, 6), (16, (6, 6), (3, 3), 8, 48)]  # with inputs of one group


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("case", GROUPED, ids=str)
def test_groups_and_both_derivatives_equal_flax(case, stride):
    batch, size, window, inputs, outputs = case
    x, _ = operands(batch, size, window, 3 * inputs, outputs)
    _, kernel = operands(*case)
    kernel = kernel / np.sqrt(kernel[..., 0].size)

    def theirs(x, kernel):
        layer = nn.Conv(outputs, window, stride, feature_group_count=3, use_bias=False)
        return layer.apply({"params": {"kernel": kernel}}, x)

    with jax.enable_x64(True):
        expected = jax.jit(partial(derivatives, theirs))(x, kernel)
    ours = partial(conv, stride=stride, groups=3)
    single = (np.float32(x), np.float32(kernel))
    for found, value in zip(jax.jit(partial(derivatives, ours))(*single), expected, strict=True):
        assert relative_error(found, value) < TOLERANCE


def test_convolutions_with_groups_are_found_equal_in_loops():
    x, kernel = jnp.ones((2, 8, 8, 12)), jnp.ones((3, 3, 4, 12))

    def twice(i, x):
        return conv(x, kernel * i, groups=3) - 2 * conv(x, kernel * i, groups=3)

    compiled = jax.jit(lambda x: lax.fori_loop(0, 3, twice, x)).lower(x).compile()
    assert compiled.as_text().count("= f32[2,8,8,12]{3,2,1,0} convolution(") == 1


def test_groups_are_left_to_accelerators_and_spread_on_cpu():
    x, kernel = jnp.zeros((2, 8, 8, 12)), jnp.zeros((3, 3, 4, 6))
    traced = jax.jit(partial(conv, groups=3)).trace(x, kernel)
    for platform, groups in (("cuda", 3), ("tpu", 3), ("cpu", 1)):
        module = traced.lower(lowering_platforms=(platform,)).as_text()
        assert f"feature_group_count = {groups} : i64" in module, platform


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (0, "groups = 0: must divide the number of outputs, 4"),
        (3, "groups = 3: must divide the number of outputs, 4"),
        (2, "x 2 times as many channels as the kernel has inputs"),
    ],
)
def test_groups_that_do_not_fit_are_refused(groups, words):
    with pytest.raises(RequestError, match=f"conv: .*{words}"):
        conv(MAPS, KERNEL, groups=groups)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", OPERATIONS)
def test_accelerators_get_native_convolutions_only(name, stride, platform):
    shapes = [jax.ShapeDtypeStruct(o.shape, jnp.float32) for o in operands(*LARGE[0])]
    exported = jax.export.export(jax.jit(scalar_of_all_maps(name, stride)), platforms=[platform])
    module = exported(*shapes).mlir_module()
    assert "stablehlo.convolution" in module
    assert "dot_general" not in module
    assert "custom_call" not in module


@pytest.mark.parametrize(
    "operation, batch, size, inputs, outputs, stride, value, by_map, by_kernel",
    [
        (conv_transpose, 256, 7, 256, 128, 1, "fourier", "fourier", "fourier"),
        (conv_transpose, 256, 7, 128, 64, 2, "fourier", "fourier", "fourier"),
        (conv_transpose, 256, 14, 64, 1, 2, "patches", "direct", "patches"),
        (conv, 256, 28, 1, 64, 2, "direct", "patches", "patches"),
        (conv, 256, 14, 64, 128, 2, "fourier", "fourier", "fourier"),
        (conv, 256, 64, 64, 128, 1, "winograd", "winograd", "winograd"),
        (conv, 64, 32, 8, 8, 1, "direct", "direct", "direct"),
        (conv, 64, 16, 16, 16, 1, "direct", "direct", "fourier"),
    ],
)
def test_cpu_takes_the_cheapest_form(
    operation, batch, size, inputs, outputs, stride, value, by_map, by_kernel
):
    x, kernel = (batch, size, size, inputs), (5, 5, inputs, outputs)
    assert_lowered(partial(operation, stride=stride), x, kernel, value, by_map, by_kernel)


def assert_lowered(apply, x, kernel, value, by_map, by_kernel) -> None:
    x, kernel = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in (x, kernel))
    y = jax.eval_shape(apply, x, kernel)
    assert form_on_cpu(apply, x, kernel) == value
    assert form_on_cpu(lambda x, k, g: jax.vjp(apply, x, k)[1](g)[0], x, kernel, y) == by_map
    assert form_on_cpu(lambda x, k, g: jax.vjp(apply, x, k)[1](g)[1], x, kernel, y) == by_kernel


def form_on_cpu(function: Callable, *operands: jax.ShapeDtypeStruct) -> str:
    traced = jax.jit(function).trace(*operands)
    lines = traced.lower(lowering_platforms=("cpu",)).as_text().splitlines()
    convolutions = [line for line in lines if "stablehlo.convolution" in line]
    # Any other order of dimensions is slow in the bodies of loops.
    canonical = "dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]"
    assert all(canonical in line for line in convolutions)
    products = sum("dot_general" in line for line in lines)
    forms = {(1, 0): "direct", (0, 1): "patches", (0, 2): "winograd", (0, 4): "fourier"}
    forms[0, 3] = "winograd"  # a kernel's gradient, whose first part is not in the loop
    return forms[len(convolutions), products]


MAPS, KERNEL = np.zeros((2, 6, 6, 3), np.float32), np.zeros((5, 5, 3, 4), np.float32)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize(
    ("x", "kernel", "stride", "words"),
    [
        (MAPS, KERNEL, 0, "stride = 0: must be an integer of at least 1"),
        (MAPS, KERNEL, True, "stride = True: must be an integer of at least 1"),
        (MAPS, KERNEL, (2, 2), r"stride = \(2, 2\): must be an integer of at least 1"),
        (MAPS[0], KERNEL, 1, r"x has shape \(6, 6, 3\): must be \[batch, height, width, inputs\]"),
        (MAPS[:, :0], KERNEL, 1, r"x has shape \(2, 0, 6, 3\)"),
        (MAPS, KERNEL[0], 1, r"kernel has shape \(5, 3, 4\): must be \[height, width, inputs"),
        (MAPS, KERNEL[:0], 1, r"kernel has shape \(0, 5, 3, 4\)"),
        (MAPS.astype(np.uint8), KERNEL, 1, "x has dtype uint8: must be floating"),
        (MAPS, KERNEL[:, :, :2], 1, "as many channels as the kernel has inputs"),
        (MAPS, KERNEL.astype(np.float16), 1, "must have the same dtype"),
        (MAPS, KERNEL.astype(np.uint8), 1, "must have the same dtype"),
    ],
)
def test_what_does_not_fit_is_refused(name, x, kernel, stride, words):
    with pytest.raises(RequestError, match=f"{name}: .*{words}"):
        OPERATIONS[name](x, kernel, stride)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_empty_batch_gives_an_empty_batch(name):
    y = OPERATIONS[name](MAPS[:0], KERNEL, np.int64(2))
    assert y.shape == flax_operation(name, 2)(MAPS[:0], KERNEL).shape
