"""Convolutions as matrix products in the domain of the real discrete Fourier transform.

The trilinear form of `gan_jax.ops.conv` becomes, after three constant linear maps, a sum over
`rank` independent products,

    sum over r, channels of  (F fine)[r] * (K kernel)[r] * (C coarse)[r],

so that each of its three contractions consists of two transforms, one batched matrix product over
`r`, and one transposed transform. The rank is that of the shortest two-dimensional DFT of real maps
in which no value that is kept wraps around: one product per real frequency, three (Gauss's) per
complex one, and none for its conjugate. A stride of s splits the fine map into s x s phases
(polyphase decomposition), which act as further channels.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from gan_jax.ops.geometry import Geometry


class _Transforms(NamedTuple):
    fine: Float64[np.ndarray, "rank phase_positions"]
    kernel: Float64[np.ndarray, "rank phases taps"]
    coarse: Float64[np.ndarray, "rank coarse_positions"]


def cost(geometry: Geometry, batch: int, fine_channels: int, coarse_channels: int) -> int:
    """Returns the estimated time of any of the three contractions, in multiply-adds.

    It is the multiply-adds of the three transforms and of the products, whose cost falls no further
    for batches below 96, plus 32 for moving each number of a spectrum.
    """
    phases = geometry.stride**2
    fine, taps, coarse = map(math.prod, (geometry.phase, geometry.kernel, geometry.coarse))
    columns_fine, columns_coarse = batch * phases * fine_channels, batch * coarse_channels
    columns_kernel = phases * fine_channels * coarse_channels
    transforms = fine * columns_fine + coarse * columns_coarse + taps * columns_kernel
    moved = columns_fine + columns_coarse + columns_kernel
    return _rank(geometry) * (transforms + max(batch, 96) * columns_kernel + 32 * moved)


def down(
    geometry: Geometry,
    fine: Float[Array, "batch fine_height fine_width inputs"],
    kernel: Float[Array, "kernel_height kernel_width inputs outputs"],
) -> Float[Array, "batch coarse_height coarse_width outputs"]:
    """Contracts fine map and kernel: a strided convolution."""
    product = _fine_spectrum(geometry, fine) @ _kernel_spectrum(geometry, kernel)
    rank, batch, channels = product.shape
    coarse = _constant(_transforms(geometry).coarse.T, fine) @ product.reshape(rank, -1)
    return coarse.reshape(*geometry.coarse, batch, channels).transpose(2, 0, 1, 3)


def up(
    geometry: Geometry,
    coarse: Float[Array, "batch coarse_height coarse_width outputs"],
    kernel: Float[Array, "kernel_height kernel_width inputs outputs"],
) -> Float[Array, "batch fine_height fine_width inputs"]:
    """Contracts coarse map and kernel: the gradient of `down` with respect to its map."""
    spectrum = _kernel_spectrum(geometry, kernel).swapaxes(1, 2)
    product = _coarse_spectrum(geometry, coarse) @ spectrum
    rank, batch, _ = product.shape
    fine = _constant(_transforms(geometry).fine.T, coarse) @ product.reshape(rank, -1)
    return _join_phases(geometry, fine, batch)


def filter_gradient(
    geometry: Geometry,
    fine: Float[Array, "batch fine_height fine_width inputs"],
    coarse: Float[Array, "batch coarse_height coarse_width outputs"],
) -> Float[Array, "kernel_height kernel_width inputs outputs"]:
    """Contracts both maps: the gradient of `down` with respect to its kernel."""
    product = _fine_spectrum(geometry, fine).swapaxes(1, 2) @ _coarse_spectrum(geometry, coarse)
    matrix = _transforms(geometry).kernel
    rank, phases, taps = matrix.shape
    kernel = _constant(matrix.reshape(-1, taps).T, fine) @ product.reshape(rank * phases, -1)
    return kernel.reshape(*geometry.kernel, fine.shape[3], coarse.shape[3])


def _fine_spectrum(geometry: Geometry, fine: Array) -> Float[Array, "rank batch columns"]:
    matrix = _constant(_transforms(geometry).fine, fine)
    return (matrix @ _split_phases(geometry, fine)).reshape(len(matrix), fine.shape[0], -1)


def _kernel_spectrum(geometry: Geometry, kernel: Array) -> Float[Array, "rank columns outputs"]:
    matrix = _transforms(geometry).kernel
    rank, _, taps = matrix.shape
    spectrum = _constant(matrix.reshape(-1, taps), kernel) @ kernel.reshape(taps, -1)
    return spectrum.reshape(rank, -1, kernel.shape[3])


def _coarse_spectrum(geometry: Geometry, coarse: Array) -> Float[Array, "rank batch outputs"]:
    matrix = _constant(_transforms(geometry).coarse, coarse)
    positions = coarse.transpose(1, 2, 0, 3).reshape(matrix.shape[1], -1)
    return (matrix @ positions).reshape(len(matrix), coarse.shape[0], -1)


def _split_phases(geometry: Geometry, fine: Array) -> Float[Array, "positions columns"]:
    """Space to depth; rows are positions within a phase, columns batch x phases x channels."""
    stride, (height, width) = geometry.stride, geometry.phase
    batch, _, _, channels = fine.shape
    missing = (height * stride - fine.shape[1], width * stride - fine.shape[2])
    fine = jnp.pad(fine, ((0, 0), (0, missing[0]), (0, missing[1]), (0, 0)))
    fine = fine.reshape(batch, height, stride, width, stride, channels)
    return fine.transpose(1, 3, 0, 2, 4, 5).reshape(height * width, -1)


def _join_phases(geometry: Geometry, positions: Array, batch: int) -> Array:
    """Depth to space: the transpose of `_split_phases`."""
    stride, (height, width) = geometry.stride, geometry.phase
    fine = positions.reshape(height, width, batch, stride, stride, -1).transpose(2, 0, 3, 1, 4, 5)
    fine = fine.reshape(batch, height * stride, width * stride, -1)
    return fine[:, : geometry.fine[0], : geometry.fine[1]]


def _constant(matrix: Float64[np.ndarray, "rows columns"], like: Array) -> Array:
    return jnp.asarray(matrix, like.dtype)


def _shifts(geometry: Geometry, axis: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The taps that meet any position, their shifts from coarse to phase position, their phases."""
    taps = np.arange(geometry.kernel[axis])
    shifts, phases = np.divmod(taps - geometry.before[axis], geometry.stride)
    met = (shifts > -geometry.coarse[axis]) & (shifts < geometry.phase[axis])
    return taps[met], shifts[met], phases[met]


def _period(geometry: Geometry, axis: int) -> int:
    """The shortest cyclic length in which no tap also meets a position one period away."""
    _, shifts, _ = _shifts(geometry, axis)
    return int(max(geometry.coarse[axis] + max(shifts), geometry.phase[axis] - min(shifts)))


def _rank(geometry: Geometry) -> int:
    periods = [_period(geometry, axis) for axis in (0, 1)]
    real = math.prod(2 - period % 2 for period in periods)
    return real + 3 * (math.prod(periods) - real) // 2


@lru_cache
def _transforms(geometry: Geometry) -> _Transforms:
    (fine0, kernel0, coarse0), (fine1, kernel1, coarse1) = (_axis(geometry, i) for i in (0, 1))
    n, m = len(fine0), len(fine1)
    fine = np.einsum("up,vq->uvpq", fine0, fine1).reshape(n * m, -1)
    kernel = np.einsum("usa,vtb->uvstab", kernel0, kernel1)
    kernel = kernel.reshape(n * m, geometry.stride**2, -1) / (n * m)
    coarse = np.einsum("up,vq->uvpq", coarse0, coarse1).reshape(n * m, -1)

    frequency = np.arange(n * m)
    u, v = np.divmod(frequency, m)
    conjugate = (-u % n) * m + (-v % m)
    real = frequency[frequency == conjugate]
    pair = frequency[frequency < conjugate]
    # The real part of (a + ib)(c + id)(e + if), counted twice for the conjugate, in Gauss's three
    # products: c (a + b) (e - f) - a (d - c) f - b (c + d) e.
    a, b, c, d = fine[pair].real, fine[pair].imag, kernel[pair].real, kernel[pair].imag
    e, f = 2 * coarse[pair].real, 2 * coarse[pair].imag
    return _Transforms(
        np.concatenate([fine[real].real, a + b, a, b]),
        np.concatenate([kernel[real].real, c, d - c, c + d]),
        np.concatenate([coarse[real].real, e - f, -f, -e]),
    )


def _axis(geometry: Geometry, axis: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Complex transforms along one axis: fine phase, kernel [frequency, phase, tap], coarse map."""
    period = _period(geometry, axis)
    turn = 2j * np.pi * np.arange(period)[:, None] / period
    taps, shifts, phases = _shifts(geometry, axis)
    kernel = np.zeros((period, geometry.stride, geometry.kernel[axis]), complex)
    kernel[:, phases, taps] = np.exp(turn * shifts)
    fine = np.exp(-turn * np.arange(geometry.phase[axis]))
    return fine, kernel, np.exp(turn * np.arange(geometry.coarse[axis]))
