"""Convolutions that equal Flax's, each lowered to the fastest form its platform has.

A convolution, its gradient by the map (a transposed convolution) and its gradient by the kernel are
the three contractions of one trilinear form

    sum over i, a, channels of  fine[stride * i + a - before] * kernel[a] * coarse[i]

of a fine map, a kernel and a coarse map, so the gradients of each are the other two. Written that
way, gradients of every order (gradient penalties) run through the same three kernels, and the
kernel gradient of a transposed convolution never takes the slow path that it has in XLA on CPU.

GPU and TPU run XLA's own convolutions. On CPU a contraction runs in the Fourier domain
(`gan_jax.ops.fourier`) wherever its estimated cost is lower; that is a function of shapes alone.
"""

import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from gan_jax.ops import fourier
from gan_jax.ops.geometry import Geometry, convolution, transposed_convolution


def conv(
    x: Float[Array, "batch height width inputs"],
    kernel: Float[Array, "kernel_height kernel_width inputs outputs"],
    stride: int = 1,
) -> Float[Array, "batch coarse_height coarse_width outputs"]:
    """Convolve maps with a kernel, zero-padded to "SAME": the operation of `flax.linen.Conv`.

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
    """Apply the transposed convolution of `flax.linen.ConvTranspose` with padding "SAME".

    The result has the dtype of `x` (which `kernel` must share) and maps of height * stride x
    width * stride. Reverse mode works to any order, under `vmap` of either argument as well;
    forward mode (`jax.jvp`) does not.
    """
    geometry = transposed_convolution(x.shape[1:3], kernel.shape[:2], stride)
    return _up(geometry, x, kernel[::-1, ::-1].swapaxes(2, 3))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _down(geometry: Geometry, fine: Array, kernel: Array) -> Array:
    channels = kernel.shape[2:]
    return _lower(_native_down, fourier.down, geometry, len(fine), channels, fine, kernel)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _up(geometry: Geometry, coarse: Array, kernel: Array) -> Array:
    channels = kernel.shape[2:]
    return _lower(_native_up, fourier.up, geometry, len(coarse), channels, coarse, kernel)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _filter(geometry: Geometry, fine: Array, coarse: Array) -> Array:
    channels = fine.shape[3], coarse.shape[3]
    return _lower(
        _native_filter, fourier.filter_gradient, geometry, len(fine), channels, fine, coarse
    )


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
    native: Callable[[Geometry, Array, Array], Array],
    in_fourier_domain: Callable[[Geometry, Array, Array], Array],
    geometry: Geometry,
    batch: int,
    channels: tuple[int, int],
    *operands: Array,
) -> Array:
    if geometry.stride > 2 or fourier.cost(geometry, batch, *channels) >= _cost(
        geometry, batch, *channels
    ):
        return native(geometry, *operands)

    def on_cpu(*operands: Array) -> Array:
        dtype = operands[0].dtype
        precise = jnp.promote_types(dtype, jnp.float32)
        wide = [operand.astype(precise) for operand in operands]
        return in_fourier_domain(geometry, *wide).astype(dtype)

    return lax.platform_dependent(*operands, cpu=on_cpu, default=partial(native, geometry))


def _cost(geometry: Geometry, batch: int, fine_channels: int, coarse_channels: int) -> int:
    """Time of a direct contraction on CPU, counted in multiply-adds at their usual rate.

    XLA runs a convolution whose kernel exceeds its map on one core without vector instructions,
    ten to forty times slower.
    """
    sizes = zip(geometry.kernel, geometry.coarse, strict=True)
    slowness = 10 if any(taps > length for taps, length in sizes) else 1
    products = batch * math.prod((*geometry.coarse, *geometry.kernel))
    return slowness * products * fine_channels * coarse_channels


def _native_down(geometry: Geometry, fine: Array, kernel: Array) -> Array:
    stride = geometry.stride
    pads = [
        (before, (coarse - 1) * stride + taps - before - length)
        for length, coarse, taps, before in zip(*geometry[1:], strict=True)
    ]
    dimensions = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
        fine, kernel, (stride, stride), pads, dimension_numbers=dimensions
    )


def _native_up(geometry: Geometry, coarse: Array, kernel: Array) -> Array:
    shape = (len(coarse), *geometry.fine, kernel.shape[2])
    fine = jax.ShapeDtypeStruct(shape, coarse.dtype)
    return jax.linear_transpose(lambda x: _native_down(geometry, x, kernel), fine)(coarse)[0]


def _native_filter(geometry: Geometry, fine: Array, coarse: Array) -> Array:
    shape = (*geometry.kernel, fine.shape[3], coarse.shape[3])
    kernel = jax.ShapeDtypeStruct(shape, fine.dtype)
    return jax.linear_transpose(lambda w: _native_down(geometry, fine, w), kernel)(coarse)[0]
