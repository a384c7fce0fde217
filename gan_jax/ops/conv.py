"""Convolutions that equal Flax's, each lowered to the fastest form its platform has.

A convolution, its gradient by the map (a transposed convolution) and its gradient by the kernel are
the three contractions of one trilinear form

    sum over i, a, channels of  fine[stride * i + a - before] * kernel[a] * coarse[i]

of a fine map, a kernel and a coarse map, so the gradients of each are the other two. Written that
way, gradients of every order (gradient penalties) run through the same three kernels, and the
kernel gradient of a transposed convolution never takes the slow path that it has in XLA on CPU.
The price is `jax.custom_vjp`'s: no forward mode (`jax.jvp`), and inside `jax.shard_map` maps and
kernel must vary over the same mesh axes (`jax.lax.pcast`).

GPU and TPU run XLA's own convolutions. On CPU a contraction runs in the Fourier domain
(`gan_jax.ops.fourier`) wherever its estimated cost is lower, which is a function of shapes alone,
and elsewhere as XLA's convolution with its operands in the one order that is fast in loops too.
"""

import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from gan_jax.ops import fourier
from gan_jax.ops.geometry import Geometry, Pair, convolution, transposed_convolution

Convolve = Callable[..., Array]


def conv(
    x: Float[Array, "batch height width inputs"],
    kernel: Float[Array, "kernel_height kernel_width inputs outputs"],
    stride: int = 1,
) -> Float[Array, "batch coarse_height coarse_width outputs"]:
    """Convolves maps with a kernel, zero-padded to "SAME": the operation of `flax.linen.Conv`.

    The result has the dtype of `x` (which `kernel` must share) and maps of ceil(height / stride) x
    ceil(width / stride). Reverse mode works to any order, under `vmap` of either argument as well;
    forward mode (`jax.jvp`) does not.
    """
    return _down(convolution(x.shape[1:3], kernel.shape[:2], stride), x, kernel)


def conv_transpose(
    x: Float[Array, "batch height width inputs"],
    kernel: Float[Array, "kernel_height kernel_width inputs outputs"],
    stride: int = 1,
) -> Float[Array, "batch fine_height fine_width outputs"]:
    """Applies the transposed convolution of `flax.linen.ConvTranspose` with padding "SAME".

    The result has the dtype of `x` (which `kernel` must share) and maps of height * stride x
    width * stride. Reverse mode works to any order, under `vmap` of either argument as well;
    forward mode (`jax.jvp`) does not.
    """
    geometry = transposed_convolution(x.shape[1:3], kernel.shape[:2], stride)
    return _up(geometry, x, kernel[::-1, ::-1].swapaxes(2, 3))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _down(geometry: Geometry, fine: Array, kernel: Array) -> Array:
    sizes = geometry.fine, len(fine), *kernel.shape[2:]
    return _lower(_native_down, fourier.down, geometry, sizes, fine, kernel)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _up(geometry: Geometry, coarse: Array, kernel: Array) -> Array:
    sizes = geometry.coarse, len(coarse), *kernel.shape[2:]
    return _lower(_native_up, fourier.up, geometry, sizes, coarse, kernel)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _filter(geometry: Geometry, fine: Array, coarse: Array) -> Array:
    sizes = geometry.fine, len(fine), fine.shape[3], coarse.shape[3]
    return _lower(_native_filter, fourier.filter_gradient, geometry, sizes, fine, coarse)


_down.defvjp(
    lambda geometry, fine, kernel: (_down(geometry, fine, kernel), (fine, kernel)),
    lambda geometry, saved, g: (_up(geometry, g, saved[1]), _filter(geometry, saved[0], g)),
)
_up.defvjp(
    lambda geometry, coarse, kernel: (_up(geometry, coarse, kernel), (coarse, kernel)),
    lambda geometry, saved, g: (_down(geometry, g, saved[1]), _filter(geometry, g, saved[0])),
)
_filter.defvjp(
    lambda geometry, fine, coarse: (_filter(geometry, fine, coarse), (fine, coarse)),
    lambda geometry, saved, g: (_up(geometry, saved[1], g), _down(geometry, saved[0], g)),
)


def _lower(
    native: Callable[..., Array],
    in_fourier_domain: Callable[[Geometry, Array, Array], Array],
    geometry: Geometry,
    sizes: tuple[Pair, int, int, int],
    *operands: Array,
) -> Array:
    default = partial(native, geometry)
    if geometry.stride > 2 or _direct_cost(geometry, *sizes) <= fourier.cost(geometry, *sizes[1:]):
        on_cpu = partial(native, geometry, convolve=_canonical_convolution)
        return lax.platform_dependent(*operands, cpu=on_cpu, default=default)

    def on_cpu(*operands: Array) -> Array:
        dtype = jax.eval_shape(default, *operands).dtype  # checks them as well
        precise = jnp.promote_types(dtype, jnp.float32)
        wide = [operand.astype(precise) for operand in operands]
        return in_fourier_domain(geometry, *wide).astype(dtype)

    return lax.platform_dependent(*operands, cpu=on_cpu, default=default)


def _direct_cost(
    geometry: Geometry, convolved: Pair, batch: int, fine_channels: int, coarse_channels: int
) -> int:
    """Time of a direct contraction on CPU, counted in multiply-adds at their usual rate.

    XLA runs a convolution whose kernel exceeds the convolved map on one core and without vector
    instructions, ten to forty times slower.
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
    # Channels of the fine map take the place of the batch, and the batch that of the channels.
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
    """Convolves with operands transposed to the order that XLA's fast path on CPU demands.

    XLA does this by itself, except in the bodies of loops (`lax.scan`), where any other order costs
    up to a hundred times the time.
    """
    maps, filters, results = dimension_numbers
    x = x.transpose([maps.index(dimension) for dimension in "NHWC"])
    kernel = kernel.transpose([filters.index(dimension) for dimension in "HWIO"])
    y = lax.conv_general_dilated(x, kernel, dimension_numbers=("NHWC", "HWIO", "NHWC"), **options)
    return y.transpose(["NHWC".index(dimension) for dimension in results])
