"""Convolutions of stride 1 as batched products of small tiles (Lavin and Gray, 2016).

The coarse map is cut into tiles, and within a tile the trilinear form of `gan_jax.ops.conv` is

    sum over r, channels of  (F fine)[r] * (K kernel)[r] * (C coarse)[r],

with as many products as the tile meets fine positions, instead of one for each pair of a coarse
position and a tap. Along each axis, kernel and coarse tile are the coefficients of polynomials, of
which product r multiplies the values at the r-th of as many points; the last point is infinity
(Toom, 1963; Cook, 1966). Unlike in the Fourier domain, the transforms of a position take the same
time however large the map is.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Float64

from gan_jax.ops.geometry import Geometry, Pair

TILE = 4  # coarse positions along an axis
# Rounding errors grow with their number and size. With these, results in float32 are within 1e-5 of
# exact ones, relative to the largest, where XLA's and those of the Fourier domain are within 1e-6.
POINTS = (0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0)
MOST_TAPS = len(POINTS) + 2 - TILE

# The batch is split into parts whose spectra take at most so many bytes, as larger ones do not stay
# in the cache between the transforms and the products.
PART_BYTES = 4_000_000


class _Axis(NamedTuple):
    fine: Float64[np.ndarray, "rank positions"]
    kernel: Float64[np.ndarray, "rank taps"]
    coarse: Float64[np.ndarray, "rank positions"]


def cost(geometry: Geometry, batch: int, fine_channels: int, coarse_channels: int) -> float:
    """Returns the estimated time of `down` or `filter_gradient`, in multiply-adds.

    It is that of the products, whose cost falls no further for fewer than 150 tiles, in which 0.55
    stands for a multiply-add, plus 140 for making each number of the spectra of the maps, and 28
    for those of the kernel. Infinite where this form does not apply.
    """
    if geometry.stride > 1 or max(geometry.kernel) > MOST_TAPS or max(geometry.kernel) == 1:
        return math.inf
    rank = math.prod(len(axis.fine) for axis in _axes(geometry))
    tiles = batch * math.prod(_tiles(geometry))
    moved = 140 * tiles * (fine_channels + coarse_channels)
    products = (0.55 * max(tiles, 150) + 28) * fine_channels * coarse_channels
    return rank * (products + moved)


def cost_up(geometry: Geometry, batch: int, fine_channels: int, coarse_channels: int) -> float:
    """Returns the estimated time of `up`, likewise."""
    return cost(_mirrored(geometry), batch, coarse_channels, fine_channels)


def down(
    geometry: Geometry,
    fine: Float[Array, "batch fine_height fine_width inputs"],
    kernel: Float[Array, "kernel_height kernel_width inputs outputs"],
) -> Float[Array, "batch coarse_height coarse_width outputs"]:
    """Contracts fine map and kernel: a convolution."""
    spectrum = _kernel_spectrum(geometry, kernel)

    def of_part(part: Array) -> Array:
        return _from_tiles(geometry, _fine_spectrum(geometry, part) @ spectrum, len(part))

    parts = _parts(geometry, len(fine), max(kernel.shape[2:]))
    split = fine.reshape(parts, -1, *fine.shape[1:])
    return lax.map(of_part, split).reshape(len(fine), *geometry.coarse, kernel.shape[3])


def up(
    geometry: Geometry,
    coarse: Float[Array, "batch coarse_height coarse_width outputs"],
    kernel: Float[Array, "kernel_height kernel_width inputs outputs"],
) -> Float[Array, "batch fine_height fine_width inputs"]:
    """Contracts coarse map and kernel: the convolution with the flipped kernel."""
    flipped = lax.optimization_barrier(kernel[::-1, ::-1].swapaxes(2, 3))
    return down(_mirrored(geometry), coarse, flipped)


def filter_gradient(
    geometry: Geometry,
    fine: Float[Array, "batch fine_height fine_width inputs"],
    coarse: Float[Array, "batch coarse_height coarse_width outputs"],
) -> Float[Array, "kernel_height kernel_width inputs outputs"]:
    """Contracts both maps: the gradient of `down` with respect to its kernel."""
    parts = _parts(geometry, len(fine), max(fine.shape[3], coarse.shape[3]))
    split = [maps.reshape(parts, -1, *maps.shape[1:]) for maps in (fine, coarse)]

    def product(part: Array | int) -> Array:
        maps = (lax.dynamic_index_in_dim(each, part, keepdims=False) for each in split)
        spectra = _fine_spectrum(geometry, next(maps)), _coarse_spectrum(geometry, next(maps))
        return spectra[0].swapaxes(1, 2) @ spectra[1]

    total = lax.fori_loop(1, parts, lambda part, total: total + product(part), product(0))
    matrix = _constant(_kernel_matrix(geometry), total)
    kernel = matrix.T @ total.reshape(len(matrix), -1)
    return kernel.reshape(*geometry.kernel, *total.shape[1:])


def _kernel_spectrum(geometry: Geometry, kernel: Array) -> Float[Array, "rank inputs outputs"]:
    matrix = _constant(_kernel_matrix(geometry), kernel)
    return (matrix @ kernel.reshape(matrix.shape[1], -1)).reshape(-1, *kernel.shape[2:])


def _kernel_matrix(geometry: Geometry) -> Float64[np.ndarray, "rank taps"]:
    return np.kron(*(axis.kernel for axis in _axes(geometry)))


def _fine_spectrum(geometry: Geometry, fine: Array) -> Float[Array, "rank tiles channels"]:
    pads = [
        (before, (many - 1) * tile + tile + taps - 1 - before - length)
        for before, many, tile, taps, length in zip(
            geometry.before,
            _tiles(geometry),
            _tile(geometry),
            geometry.kernel,
            geometry.fine,
            strict=True,
        )
    ]
    return _spectrum(geometry, fine, pads, [axis.fine for axis in _axes(geometry)])


def _coarse_spectrum(geometry: Geometry, coarse: Array) -> Float[Array, "rank tiles channels"]:
    sizes = zip(_tiles(geometry), _tile(geometry), geometry.coarse, strict=True)
    pads = [(0, many * tile - length) for many, tile, length in sizes]
    return _spectrum(geometry, coarse, pads, [axis.coarse for axis in _axes(geometry)])


def _spectrum(
    geometry: Geometry, maps: Array, pads: list[Pair], matrices: list[np.ndarray]
) -> Float[Array, "rank tiles channels"]:
    """Transforms tiles, which may overlap, along one axis after the other."""
    edges = [(0, 0, 0), *((low, high, 0) for low, high in pads), (0, 0, 0)]
    x = lax.pad(maps, jnp.zeros((), maps.dtype), edges)
    for axis, (matrix, stride, many) in enumerate(
        zip(matrices, _tile(geometry), _tiles(geometry), strict=True)
    ):
        last = (many - 1) * stride + 1
        parts = [
            lax.slice_in_dim(x, start, start + last, stride, axis=1 + 2 * axis)
            for start in range(matrix.shape[1])
        ]
        x = jnp.stack(_combinations(matrix, parts), axis=axis)
        if not axis:  # or XLA would make values along the first axis anew wherever they are used
            x = lax.optimization_barrier(x)
    return x.reshape(x.shape[0] * x.shape[1], -1, x.shape[-1])


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


def _parts(geometry: Geometry, batch: int, channels: int) -> int:
    """Into how many parts the batch is split: the fewest whose spectra are small enough."""
    rank = math.prod(len(axis.fine) for axis in _axes(geometry))
    size = 4 * rank * batch * math.prod(_tiles(geometry)) * channels
    divisors = (n for n in range(1, max(batch, 2)) if batch % n == 0 and size <= n * PART_BYTES)
    return next(divisors, batch)


def _mirrored(geometry: Geometry) -> Geometry:
    """The geometry in which coarse and fine map have changed places."""
    before = (taps - 1 - b for taps, b in zip(geometry.kernel, geometry.before, strict=True))
    return geometry._replace(fine=geometry.coarse, coarse=geometry.fine, before=tuple(before))


def _tile(geometry: Geometry) -> Pair:
    """Height and width of a tile of the coarse map."""
    sizes = zip(geometry.coarse, geometry.kernel, strict=True)
    return tuple(1 if taps == 1 else min(length, TILE) for length, taps in sizes)


def _tiles(geometry: Geometry) -> Pair:
    """How many tiles there are along each axis."""
    return tuple(
        -(-length // tile) for length, tile in zip(geometry.coarse, _tile(geometry), strict=True)
    )


def _axes(geometry: Geometry) -> list[_Axis]:
    return [_axis(*sizes) for sizes in zip(_tile(geometry), geometry.kernel, strict=True)]


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
