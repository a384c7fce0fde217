"""Convolutions equal to Flax's, each lowered to the fastest form on its platform.

A convolution, its gradient with respect to the map (a transposed convolution) and its gradient with
respect to the kernel are the three contractions of one trilinear form

    sum over i, a, channels of  fine[stride * i + a - before] * kernel[a] * coarse[i]

of a fine map, a kernel and a coarse map, so the gradients of each contraction are the other two.
Written this way, gradients of every order (gradient penalties) use the same three kernels, and the
kernel gradient of a transposed convolution never takes XLA's slow path on CPU. The price is that of
`jax.custom_vjp`: forward mode (`jax.jvp`) is not supported, and inside `jax.shard_map` maps and
kernel must vary over the same mesh axes (`jax.lax.pcast`).

On GPU and TPU these are XLA's own convolutions. On CPU, each contraction takes the form with the
least estimated cost, which depends on shapes alone: in the Fourier domain (`gan_jax.ops.fourier`),
as products of small tiles (`gan_jax.ops.winograd`), as a product with patches
(`gan_jax.ops.patches`), or as XLA's convolution with its operands in the one layout that is fast in
loops too. `benchmarks/pieces.py` measures what this rule loses.
"""

import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from gan_jax.common.errors import RequestError
from gan_jax.ops import fourier, patches, winograd
from gan_jax.ops.geometry import (
    Geometry,
    Pair,
    convolution,
    mirrored,
    transposed_convolution,
)

Convolve = Callable[..., Array]


def conv(
    x: Float[Array, "batch height width inputs"],
    kernel: Float[Array, "kernel_height kernel_width group_inputs outputs"],
    stride: int = 1,
    groups: int = 1,
) -> Float[Array, "batch coarse_height coarse_width outputs"]:
    """Convolves maps with a kernel, zero-padded to "SAME": the operation of `flax.linen.Conv`.

    The result has the dtype of `x`, which must be that of `kernel`, and maps of
    ceil(height / stride) x ceil(width / stride). With groups, each group of outputs sees its own
    group of inputs. Reverse-mode differentiation works to any order, also under `vmap` of either
    argument; forward mode (`jax.jvp`) does not: a Hessian is `jax.jacrev(jax.jacrev(f))`.

    Raises:
        RequestError: the shapes or dtypes do not fit, or the stride is not an integer from 1 on.
    """
    check("conv", x, kernel, stride, groups)
    geometry = convolution(x.shape[1:3], kernel.shape[:2], stride)
    if groups == 1:
        return down(geometry, x, kernel)

    # On CPU, gradients of XLA's grouped convolution take ten times as long as those of the product
    # with all the zeros that it leaves out.
    def on_cpu(x: Array, kernel: Array) -> Array:
        return down(geometry, x, _with_zeros(kernel, groups))

    grouped = partial(lax.conv_general_dilated, feature_group_count=groups)
    default = partial(_native_down, geometry, convolve=grouped)
    return lax.platform_dependent(x, kernel, cpu=on_cpu, default=default)


def _with_zeros(kernel: Array, groups: int) -> Array:
    """The kernel without groups that does the same, [height, width, inputs, outputs]."""
    height, width, inputs, outputs = kernel.shape
    # A constant: XLA moves an array that it computes out of loops, one copy for each use, and then
    # no longer sees that two convolutions are the same.
    own = np.eye(groups, dtype=kernel.dtype)[:, None, :, None]
    split = kernel.reshape(height, width, 1, inputs, groups, outputs // groups)
    return (split * own).reshape(height, width, groups * inputs, outputs)


def conv_transpose(
    x: Float[Array, "batch height width inputs"],
    kernel: Float[Array, "kernel_height kernel_width inputs outputs"],
    stride: int = 1,
) -> Float[Array, "batch fine_height fine_width outputs"]:
    """Applies the transposed convolution of `flax.linen.ConvTranspose` with padding "SAME".

    The result has the dtype of `x`, which must be that of `kernel`, and maps of
    (height * stride) x (width * stride). Reverse-mode differentiation works to any order, also
    under `vmap` of either argument; forward mode (`jax.jvp`) does not: a Hessian is
    `jax.jacrev(jax.jacrev(f))`.

    Raises:
        RequestError: the shapes or dtypes do not fit, or the stride is not an integer from 1 on.
    """
    check("conv_transpose", x, kernel, stride)
    geometry = transposed_convolution(x.shape[1:3], kernel.shape[:2], stride)
    return up(geometry, x, kernel[::-1, ::-1].swapaxes(2, 3))


def check(operation: str, x: Array, kernel: Array, stride: int, groups: int = 1) -> None:
    """Checks what a convolution called `operation` is given.

    Raises:
        RequestError: the shapes or dtypes do not fit, or stride or groups are out of range.
    """
    if not isinstance(stride, int | np.integer) or isinstance(stride, bool) or stride < 1:
        right = "must be an integer of at least 1, the same along both axes"
        raise RequestError(f"{operation}: stride = {stride!r}: {right}")
    if x.ndim != 4 or 0 in x.shape[1:]:
        right = "must be [batch, height, width, inputs], the last three at least 1"
        raise RequestError(f"{operation}: x has shape {x.shape}: {right}")
    if kernel.ndim != 4 or 0 in kernel.shape:
        right = "must be [height, width, inputs, outputs], each at least 1"
        raise RequestError(f"{operation}: kernel has shape {kernel.shape}: {right}")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        right = "must be floating; pixels become float32 in [-1, 1] in the data's `prepare`"
        raise RequestError(f"{operation}: x has dtype {x.dtype}: {right}")
    if groups < 1 or kernel.shape[3] % groups:
        right = f"must divide the number of outputs, {kernel.shape[3]}"
        raise RequestError(f"{operation}: groups = {groups}: {right}")
    if x.shape[3] != groups * kernel.shape[2] or x.dtype != kernel.dtype:
        many = "as many channels" if groups == 1 else f"{groups} times as many channels"
        raise RequestError(
            f"{operation}: x is {x.dtype} {x.shape} and kernel {kernel.dtype} {kernel.shape}: they "
            f"must have the same dtype, and x {many} as the kernel has inputs"
        )


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def down(
    geometry: Geometry,
    fine: Float[Array, "batch fine_height fine_width inputs"],
    kernel: Float[Array, "kernel_height kernel_width inputs outputs"],
) -> Float[Array, "batch coarse_height coarse_width outputs"]:
    """Contracts a fine map and a kernel: a convolution with any padding."""
    return _lower(_down_forms(geometry, len(fine), *kernel.shape[2:]), geometry, fine, kernel)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def up(
    geometry: Geometry,
    coarse: Float[Array, "batch coarse_height coarse_width outputs"],
    kernel: Float[Array, "kernel_height kernel_width inputs outputs"],
) -> Float[Array, "batch fine_height fine_width inputs"]:
    """Contracts a coarse map and a kernel: a transposed convolution with any padding."""
    return _lower(_up_forms(geometry, len(coarse), *kernel.shape[2:]), geometry, coarse, kernel)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _filter(geometry: Geometry, fine: Array, coarse: Array) -> Array:
    forms = _filter_forms(geometry, len(fine), fine.shape[3], coarse.shape[3])
    return _lower(forms, geometry, fine, coarse)


down.defvjp(
    lambda geometry, fine, kernel: (down(geometry, fine, kernel), (fine, kernel)),
    lambda geometry, saved, g: (up(geometry, g, saved[1]), _filter(geometry, saved[0], g)),
)
up.defvjp(
    lambda geometry, coarse, kernel: (up(geometry, coarse, kernel), (coarse, kernel)),
    lambda geometry, saved, g: (down(geometry, g, saved[1]), _filter(geometry, g, saved[0])),
)
_filter.defvjp(
    lambda geometry, fine, coarse: (_filter(geometry, fine, coarse), (fine, coarse)),
    lambda geometry, saved, g: (up(geometry, saved[1], g), down(geometry, saved[0], g)),
)


def _lower(forms: dict[Convolve, float], geometry: Geometry, *operands: Array) -> Array:
    """Runs the native form on GPU and TPU, and the form of least cost on CPU."""
    native = next(iter(forms))
    default = partial(native, geometry)
    best = min(forms, key=forms.get)
    if geometry.stride > 2 or best is native:
        on_cpu = partial(native, geometry, convolve=_canonical_convolution)
        return lax.platform_dependent(*operands, cpu=on_cpu, default=default)

    def on_cpu(*operands: Array) -> Array:
        dtype = operands[0].dtype
        precise = jnp.promote_types(dtype, jnp.float32)
        wide = [operand.astype(precise) for operand in operands]
        return best(geometry, *wide).astype(dtype)

    return lax.platform_dependent(*operands, cpu=on_cpu, default=default)


# The forms of each contraction with their estimated time on CPU, in multiply-adds at the rate of
# matrix products; the native form is first. The weights were fitted to measured times.


def _down_forms(geometry: Geometry, *sizes: int) -> dict[Convolve, float]:
    return {
        _native_down: _native_cost(geometry, *sizes),
        fourier.down: fourier.cost(geometry, *sizes),
        winograd.down: winograd.cost(geometry, *sizes),
    }


def _up_forms(geometry: Geometry, *sizes: int) -> dict[Convolve, float]:
    batch, fine_channels, coarse_channels = sizes
    if geometry.stride == 1:  # the convolution with the flipped kernel
        native = _native_cost(mirrored(geometry), batch, coarse_channels, fine_channels)
    else:
        dilated = batch * math.prod(geometry.fine) * coarse_channels
        native = 0.6 * _direct_cost(geometry, *sizes, geometry.coarse) + 330 * dilated
    return {
        _native_up: native,
        fourier.up: fourier.cost(geometry, *sizes),
        winograd.up: winograd.cost_up(geometry, *sizes),
        patches.up: patches.cost(geometry, *sizes),
    }


def _filter_forms(geometry: Geometry, *sizes: int) -> dict[Convolve, float]:
    direct = _direct_cost(geometry, *sizes, geometry.fine)
    return {
        # XLA convolves with the coarse map as the kernel, and the channels as the batch, which
        # takes twice as long as a convolution.
        _native_filter: 3 * direct * (1 + 5 / sizes[1]),
        fourier.filter_gradient: fourier.cost(geometry, *sizes),
        winograd.filter_gradient: winograd.cost(geometry, *sizes),
        patches.filter_gradient: patches.cost_of_filter_gradient(geometry, *sizes),
    }


def _native_cost(geometry: Geometry, batch: int, fine_channels: int, coarse_channels: int) -> float:
    """Estimated time of XLA's convolution: its products, the patches it makes, and its result."""
    direct = _direct_cost(geometry, batch, fine_channels, coarse_channels, geometry.fine)
    coarse = batch * math.prod(geometry.coarse) * coarse_channels
    return 1.3 * direct + 14 * patches.size(geometry, batch, fine_channels) + 60 * coarse


def _direct_cost(
    geometry: Geometry, batch: int, fine_channels: int, coarse_channels: int, convolved: Pair
) -> int:
    """Estimated time of the products of a direct contraction, in multiply-adds.

    If the kernel is larger than the convolved map, XLA uses one core and no vector instructions.
    """
    exceeds = any(taps > length for taps, length in zip(geometry.kernel, convolved, strict=True))
    products = batch * math.prod((*geometry.coarse, *geometry.kernel))
    return (10 if exceeds else 1) * products * fine_channels * coarse_channels


def _native_down(
    geometry: Geometry, fine: Array, kernel: Array, convolve: Convolve = lax.conv_general_dilated
) -> Array:
    return convolve(
        fine,
        kernel,
        window_strides=(geometry.stride, geometry.stride),
        padding=_padding(geometry),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _native_up(
    geometry: Geometry, coarse: Array, kernel: Array, convolve: Convolve = lax.conv_general_dilated
) -> Array:
    padding = [
        (taps - 1 - before, length - (positions - 1) * geometry.stride - 1 + before)
        for length, positions, taps, before in zip(*geometry[1:], strict=True)
    ]
    return convolve(
        coarse,
        kernel[::-1, ::-1],
        window_strides=(1, 1),
        padding=padding,
        lhs_dilation=(geometry.stride, geometry.stride),
        dimension_numbers=("NHWC", "HWOI", "NHWC"),
    )


def _native_filter(
    geometry: Geometry, fine: Array, coarse: Array, convolve: Convolve = lax.conv_general_dilated
) -> Array:
    # The fine map's channels take the role of the batch, and the batch that of the channels.
    return convolve(
        fine,
        coarse,
        window_strides=(1, 1),
        padding=_padding(geometry),
        rhs_dilation=(geometry.stride, geometry.stride),
        dimension_numbers=("CHWN", "IHWO", "HWNC"),
    )


def _padding(geometry: Geometry) -> list[Pair]:
    return [
        (before, (positions - 1) * geometry.stride + taps - before - length)
        for length, positions, taps, before in zip(*geometry[1:], strict=True)
    ]


def _canonical_convolution(
    x: Array, kernel: Array, *, dimension_numbers: tuple[str, str, str], **options
) -> Array:
    """Convolves with operands transposed to the layout of XLA's fast path on CPU.

    XLA does this by itself, except in the bodies of loops (`lax.scan`), where any other layout is
    up to a hundred times slower.
    """
    maps, filters, results = dimension_numbers
    x = x.transpose([maps.index(dimension) for dimension in "NHWC"])
    kernel = kernel.transpose([filters.index(dimension) for dimension in "HWIO"])
    y = lax.conv_general_dilated(x, kernel, dimension_numbers=("NHWC", "HWIO", "NHWC"), **options)
    return y.transpose(["NHWC".index(dimension) for dimension in results])
