"""Convolutions of stride 1 as batched products of small tiles (Lavin and Gray, 2016).

The coarse map is cut into tiles, and within a tile the trilinear form of `gan_jax.ops.conv` is

    sum over r, channels of  (F fine)[r] * (K kernel)[r] * (C coarse)[r],

with as many products as the tile meets fine positions, instead of one for each pair of a coarse
position and a tap. Along each axis, kernel and coarse tile are the coefficients of polynomials, of
which product r multiplies the values at the r-th of as many points; the last point is infinity
(Toom, 1963; Cook, 1966). Unlike in the Fourier domain, the transforms of a position take the same
time however large the map is.

A kernel with many taps is cut into blocks as long as a tile. What the next block of a tile meets is
what the first block of the next tile meets, so the fine map is transformed once for all blocks,
which become further input channels of the products.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Float64

from gan_jax.ops.geometry import Geometry, Pair, mirrored

TILE = 4  # coarse positions along an axis
# Rounding errors grow with their number and size. With these, results in float32 are within 1e-5 of
# exact ones, relative to the largest, where XLA's and those of the Fourier domain are within 1e-6.
POINTS = (0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0)
MOST_TAPS = len(POINTS) + 2 - TILE  # of a kernel that is not cut
MOST_BLOCKS = 4  # of one that is; each takes a copy of the spectrum
COMPILING = 3e7  # multiply-adds: a third of a second, spread over a thousand calls

# The batch is split into parts whose spectra take at most so many bytes, or those of one example,
# as larger ones do not stay in the cache between the transforms and the products.
PART_BYTES = 4_000_000


class _Axis(NamedTuple):
    fine: Float64[np.ndarray, "rank positions"]
    kernel: Float64[np.ndarray, "rank taps"]
    coarse: Float64[np.ndarray, "rank positions"]


def cost(geometry: Geometry, batch: int, fine_channels: int, coarse_channels: int) -> float:
    """Returns the estimated time of `down` or `filter_gradient`, in multiply-adds.

    It is that of the products, whose cost falls no further for fewer than 150 tiles, in which 0.55
    stands for a multiply-add, plus 70 for each number of the spectra of the maps, with their copies
    for further blocks, and each axis that is transformed, plus 28 for those of the kernel, plus
    compiling, which takes longer than that of other forms. Infinite for strides, kernels of one
    tap, and kernels of many blocks or cut along both axes, where errors reach 1.2e-5.
    """
    blocks = _blocks(geometry)
    if geometry.stride > 1 or max(geometry.kernel) == 1:
        return math.inf
    if math.prod(blocks) > MOST_BLOCKS or min(blocks) > 1:
        return math.inf
    rank = math.prod(len(axis.fine) for axis in _axes(geometry))
    tiles = batch * math.prod(_tiles(geometry))
    transformed = sum(taps > 1 for taps in geometry.kernel)
    inputs = fine_channels * math.prod(blocks)
    moved = 70 * transformed * tiles * (inputs + coarse_channels)
    products = (0.55 * max(tiles, 150) + 28) * inputs * coarse_channels
    return COMPILING + rank * (products + moved)


def cost_up(geometry: Geometry, batch: int, fine_channels: int, coarse_channels: int) -> float:
    """Returns the estimated time of `up`, likewise."""
    return cost(mirrored(geometry), batch, coarse_channels, fine_channels)


def down(
    geometry: Geometry,
    fine: Float[Array, "batch fine_height fine_width inputs"],
    kernel: Float[Array, "kernel_height kernel_width inputs outputs"],
) -> Float[Array, "batch coarse_height coarse_width outputs"]:
    """Contracts fine map and kernel: a convolution."""
    spectrum = _kernel_spectrum(geometry, kernel)

    def of_part(part: Array) -> Array:
        return _from_tiles(geometry, _fine_spectrum(geometry, part) @ spectrum, len(part))

    parts = _parts(geometry, len(fine), *kernel.shape[2:])
    split = fine.reshape(parts, -1, *fine.shape[1:])
    return lax.map(of_part, split).reshape(len(fine), *geometry.coarse, kernel.shape[3])


def up(
    geometry: Geometry,
    coarse: Float[Array, "batch coarse_height coarse_width outputs"],
    kernel: Float[Array, "kernel_height kernel_width inputs outputs"],
) -> Float[Array, "batch fine_height fine_width inputs"]:
    """Contracts coarse map and kernel: the convolution with the flipped kernel."""
    flipped = lax.optimization_barrier(kernel[::-1, ::-1].swapaxes(2, 3))
    return down(mirrored(geometry), coarse, flipped)


def filter_gradient(
    geometry: Geometry,
    fine: Float[Array, "batch fine_height fine_width inputs"],
    coarse: Float[Array, "batch coarse_height coarse_width outputs"],
) -> Float[Array, "kernel_height kernel_width inputs outputs"]:
    """Contracts both maps: the gradient of `down` with respect to its kernel."""
    parts = _parts(geometry, len(fine), fine.shape[3], coarse.shape[3])
    split = [maps.reshape(parts, -1, *maps.shape[1:]) for maps in (fine, coarse)]

    def product(part: Array | int) -> Array:
        maps = (lax.dynamic_index_in_dim(each, part, keepdims=False) for each in split)
        spectra = _fine_spectrum(geometry, next(maps)), _coarse_spectrum(geometry, next(maps))
        return spectra[0].swapaxes(1, 2) @ spectra[1]

    total = lax.fori_loop(1, parts, lambda part, total: total + product(part), product(0))
    matrix = _constant(_kernel_matrix(geometry), total)
    kernel = matrix.T @ total.reshape(len(matrix), -1)
    return _from_blocks(geometry, kernel.reshape(-1, *total.shape[1:]))


def _kernel_spectrum(geometry: Geometry, kernel: Array) -> Float[Array, "rank inputs outputs"]:
    matrix = _constant(_kernel_matrix(geometry), kernel)
    blocks = _to_blocks(geometry, kernel)
    return (matrix @ blocks.reshape(matrix.shape[1], -1)).reshape(-1, *blocks.shape[1:])


def _to_blocks(geometry: Geometry, kernel: Array) -> Float[Array, "taps inputs outputs"]:
    """The kernel with its blocks of taps as channels of the fine map."""
    (rows, columns), (height, width) = _blocks(geometry), _block(geometry)
    missing = rows * height - kernel.shape[0], columns * width - kernel.shape[1]
    kernel = jnp.pad(kernel, [(0, missing[0]), (0, missing[1]), (0, 0), (0, 0)])
    split = kernel.reshape(rows, height, columns, width, *kernel.shape[2:])
    return split.transpose(1, 3, 0, 2, 4, 5).reshape(height * width, -1, kernel.shape[3])


def _from_blocks(geometry: Geometry, blocks: Float[Array, "taps inputs outputs"]) -> Array:
    """The inverse of `_to_blocks`."""
    (rows, columns), (height, width) = _blocks(geometry), _block(geometry)
    split = blocks.reshape(height, width, rows, columns, -1, blocks.shape[2])
    kernel = split.transpose(2, 0, 3, 1, 4, 5)
    kernel = kernel.reshape(rows * height, columns * width, *kernel.shape[4:])
    return kernel[: geometry.kernel[0], : geometry.kernel[1]]


def _kernel_matrix(geometry: Geometry) -> Float64[np.ndarray, "rank taps"]:
    return np.kron(*(axis.kernel for axis in _axes(geometry)))


def _fine_spectrum(geometry: Geometry, fine: Array) -> Float[Array, "rank tiles channels"]:
    (rows, columns), blocks = _tiles(geometry), _blocks(geometry)
    tiles = rows + blocks[0] - 1, columns + blocks[1] - 1
    sizes = zip(
        geometry.before, tiles, _tile(geometry), _block(geometry), geometry.fine, strict=True
    )
    pads = [
        (before, count * tile + taps - 1 - before - length)
        for before, count, tile, taps, length in sizes
    ]
    x = _spectrum(geometry, fine, pads, tiles, [axis.fine for axis in _axes(geometry)])
    shifted = [
        x[:, :, i : i + rows, j : j + columns] for i in range(blocks[0]) for j in range(blocks[1])
    ]
    x = jnp.concatenate(shifted, axis=-1)
    return x.reshape(len(x), -1, x.shape[-1])


def _coarse_spectrum(geometry: Geometry, coarse: Array) -> Float[Array, "rank tiles channels"]:
    tiles = _tiles(geometry)
    sizes = zip(tiles, _tile(geometry), geometry.coarse, strict=True)
    pads = [(0, count * tile - length) for count, tile, length in sizes]
    x = _spectrum(geometry, coarse, pads, tiles, [axis.coarse for axis in _axes(geometry)])
    return x.reshape(len(x), -1, x.shape[-1])


def _spectrum(
    geometry: Geometry, maps: Array, pads: list[Pair], tiles: Pair, matrices: list[np.ndarray]
) -> Float[Array, "rank batch tiles_down tiles_across channels"]:
    """Transforms tiles, which may overlap, along one axis after the other."""
    edges = [(0, 0, 0), *((low, high, 0) for low, high in pads), (0, 0, 0)]
    x = lax.pad(maps, jnp.zeros((), maps.dtype), edges)
    for axis, (matrix, stride, many) in enumerate(
        zip(matrices, _tile(geometry), tiles, strict=True)
    ):
        last = (many - 1) * stride + 1
        parts = [
            lax.slice_in_dim(x, start, start + last, stride, axis=1 + 2 * axis)
            for start in range(matrix.shape[1])
        ]
        x = jnp.stack(_combinations(matrix, parts), axis=axis)
        if not axis:  # or XLA would make values along the first axis anew wherever they are used
            x = lax.optimization_barrier(x)
    return x.reshape(-1, *x.shape[2:])


def _from_tiles(geometry: Geometry, product: Array, batch: int) -> Array:
    """Makes the coarse map of its spectrum."""
    (first, second), tiles = _axes(geometry), _tiles(geometry)
    product = product.reshape(len(first.coarse), len(second.coarse), batch, *tiles, -1)
    x = jnp.stack(_combinations(second.coarse.T, product.swapaxes(0, 1)), axis=4)
    x = jnp.stack(_combinations(first.coarse.T, lax.optimization_barrier(x)), axis=2)
    height, width = (many * tile for many, tile in zip(tiles, _tile(geometry), strict=True))
    x = x.reshape(batch, height, width, -1)
    return x[:, : geometry.coarse[0], : geometry.coarse[1]]


def _combinations(matrix: Float64[np.ndarray, "rows columns"], parts: Sequence[Array]) -> list:
    """The product of a constant matrix with few elements and a vector of arrays."""
    return [
        functools.reduce(
            jnp.add, (float(c) * part for c, part in zip(row, parts, strict=True) if c)
        )
        for row in matrix
    ]


def _parts(geometry: Geometry, batch: int, fine_channels: int, coarse_channels: int) -> int:
    """Into how many parts the batch is split: the fewest whose spectra are small enough."""
    rank = math.prod(len(axis.fine) for axis in _axes(geometry))
    channels = max(fine_channels * math.prod(_blocks(geometry)), coarse_channels)
    size = 4 * rank * batch * math.prod(_tiles(geometry)) * channels
    divisors = (n for n in range(1, max(batch, 2)) if batch % n == 0 and size <= n * PART_BYTES)
    return next(divisors, batch)


def _tile(geometry: Geometry) -> Pair:
    """Height and width of a tile of the coarse map."""
    sizes = zip(geometry.coarse, geometry.kernel, strict=True)
    return tuple(1 if taps == 1 else min(length, TILE) for length, taps in sizes)


def _block(geometry: Geometry) -> Pair:
    """How many taps a block of the kernel has along each axis."""
    sizes = zip(_tile(geometry), geometry.kernel, strict=True)
    return tuple(tile if taps > MOST_TAPS else taps for tile, taps in sizes)


def _blocks(geometry: Geometry) -> Pair:
    """How many blocks the kernel has along each axis."""
    sizes = zip(_block(geometry), geometry.kernel, strict=True)
    return tuple(-(-taps // block) for block, taps in sizes)


def _tiles(geometry: Geometry) -> Pair:
    """How many tiles there are along each axis."""
    return tuple(
        -(-length // tile) for length, tile in zip(geometry.coarse, _tile(geometry), strict=True)
    )


def _axes(geometry: Geometry) -> list[_Axis]:
    return [_axis(*sizes) for sizes in zip(_tile(geometry), _block(geometry), strict=True)]


@functools.cache
def _axis(tile: int, taps: int) -> _Axis:
    rank = tile + taps - 1
    powers = np.array(POINTS[: rank - 1])[:, None] ** np.arange(rank)
    values = np.vstack([powers, np.eye(rank)[-1]])  # of a polynomial's highest coefficient, too
    at_infinity = [np.eye(size)[-1] for size in (taps, tile)]
    kernel, coarse = (
        np.vstack([powers[:, :size], last])
        for size, last in zip((taps, tile), at_infinity, strict=True)
    )
    fine = np.linalg.inv(values).T.round(14)
    # Balanced, so that no factor of a product is much larger than the others.
    scales = np.abs(kernel).max(1), np.abs(coarse).max(1)
    return _Axis(
        fine * (scales[0] * scales[1])[:, None],
        kernel / scales[0][:, None],
        coarse / scales[1][:, None],
    )


def _constant(matrix: Float64[np.ndarray, "rows columns"], like: Array) -> Array:
    return jnp.asarray(matrix, like.dtype)
