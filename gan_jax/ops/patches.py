"""Convolutions as one matrix product with the patches of the fine map (im2col).

For each tap and each channel of the fine map, the patches hold the values that the tap meets at all
coarse positions: a copy of the fine map per tap. That is little memory traffic if the fine map has
few channels, as images have. It is also faster than XLA's convolutions on CPU for kernel gradients
of large maps, whose cost grows with the size of the map in the role of the kernel.
"""

import math

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from gan_jax.ops.geometry import Geometry, Pair


def size(geometry: Geometry, batch: int, fine_channels: int) -> int:
    """Returns the number of elements of the patches."""
    return batch * math.prod((*geometry.coarse, *geometry.kernel)) * fine_channels


def cost(geometry: Geometry, batch: int, fine_channels: int, coarse_channels: int) -> float:
    """Returns the estimated time of `up`, in multiply-adds.

    It is those of the product, which takes 2.9 times as long as batched products of as many, plus 8
    for moving each element of the patches.
    """
    return size(geometry, batch, fine_channels) * (2.9 * coarse_channels + 8)


def cost_of_filter_gradient(
    geometry: Geometry, batch: int, fine_channels: int, coarse_channels: int
) -> float:
    """Returns the estimated time of `filter_gradient`, likewise, which takes half as long again."""
    return 1.5 * cost(geometry, batch, fine_channels, coarse_channels)


def up(
    geometry: Geometry,
    coarse: Float[Array, "batch coarse_height coarse_width outputs"],
    kernel: Float[Array, "kernel_height kernel_width inputs outputs"],
) -> Float[Array, "batch fine_height fine_width inputs"]:
    """Contracts coarse map and kernel: a product whose patches are added at their positions."""
    batch, inputs = len(coarse), kernel.shape[2]
    product = kernel.reshape(-1, kernel.shape[3]) @ coarse.reshape(-1, coarse.shape[3]).T
    patches = product.reshape(*geometry.kernel, inputs, batch, *geometry.coarse)
    stride, (height, width) = geometry.stride, _padded_phase(geometry)
    phases = jnp.zeros((stride, stride, inputs, batch, height, width), coarse.dtype)
    for i in range(geometry.kernel[0]):
        for j in range(geometry.kernel[1]):
            (top, v), (left, h) = divmod(i, stride), divmod(j, stride)
            rows = slice(top, top + geometry.coarse[0])
            columns = slice(left, left + geometry.coarse[1])
            phases = phases.at[v, h, :, :, rows, columns].add(patches[i, j])
    fine = phases.transpose(3, 4, 0, 5, 1, 2)
    fine = fine.reshape(batch, height * stride, width * stride, inputs)
    (top, left), (height, width) = geometry.before, geometry.fine
    return fine[:, top : top + height, left : left + width]


def filter_gradient(
    geometry: Geometry,
    fine: Float[Array, "batch fine_height fine_width inputs"],
    coarse: Float[Array, "batch coarse_height coarse_width outputs"],
) -> Float[Array, "kernel_height kernel_width inputs outputs"]:
    """Contracts both maps: the kernel gradient of a convolution."""
    kernel = _patches(geometry, fine) @ coarse.reshape(-1, coarse.shape[3])
    return kernel.reshape(*geometry.kernel, fine.shape[3], coarse.shape[3])


def _patches(geometry: Geometry, fine: Array) -> Float[Array, "taps*channels positions"]:
    batch, _, _, channels = fine.shape
    stride, (height, width) = geometry.stride, _padded_phase(geometry)
    (top, left), (rows, columns) = geometry.before, geometry.fine
    bottom, right = height * stride - top - rows, width * stride - left - columns
    fine = jnp.pad(fine, ((0, 0), (top, bottom), (left, right), (0, 0)))
    fine = fine.reshape(batch, height, stride, width, stride, channels).transpose(2, 4, 5, 0, 1, 3)
    # Rows and columns in two stages with separate buffers: if XLA fuses them into one, it searches
    # all taps for every element of the patches.
    fine = lax.optimization_barrier(fine)
    shifts = [divmod(i, stride) for i in range(geometry.kernel[0])]
    fine = jnp.stack([fine[v, :, :, :, row : row + geometry.coarse[0]] for row, v in shifts])
    fine = lax.optimization_barrier(fine)
    shifts = [divmod(j, stride) for j in range(geometry.kernel[1])]
    patches = [fine[:, h, ..., column : column + geometry.coarse[1]] for column, h in shifts]
    return jnp.stack(patches, axis=1).reshape(math.prod(geometry.kernel) * channels, -1)


def _padded_phase(geometry: Geometry) -> Pair:
    """Size of one phase of the fine map, padded to all positions that a tap meets."""
    stride = geometry.stride
    met = [
        max((positions - 1) * stride + taps, before + size)
        for positions, taps, before, size in zip(
            geometry.coarse, geometry.kernel, geometry.before, geometry.fine, strict=True
        )
    ]
    return tuple(-(-length // stride) for length in met)
