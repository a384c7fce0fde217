"""Images at half and twice their resolution, low-pass filtered: small finite impulse responses.

The filter is one-dimensional, of even length, and applied along height and width. Beyond its
borders a map is zero, as for a convolution with padding (and as in StyleGAN's `upfirdn2d`), so that
a filter that sums to 1 keeps a constant map constant everywhere but at the borders. Both operations
are products with one small matrix along each axis, and differentiable to any order.
"""

import functools

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

BILINEAR = (0.125, 0.375, 0.375, 0.125)  # (1, 2, 1) convolved with (1, 1), divided by its sum


def downsample(
    x: Float[Array, "batch height width channels"], taps: tuple[float, ...] = BILINEAR
) -> Float[Array, "batch half_height half_width channels"]:
    """Filters maps, and keeps every second row and column: height // 2 and width // 2 of them.

    Args:
        x: maps of at least 2 x 2.
        taps: the filter. Tap t weighs the pixel that is t - len(taps) // 2 + 1 after the one kept.
    """
    rows, columns = _matrix(x.shape[1], taps), _matrix(x.shape[2], taps)
    return _along_both_axes(x, rows, columns)


def upsample(
    x: Float[Array, "batch height width channels"], taps: tuple[float, ...] = BILINEAR
) -> Float[Array, "batch double_height double_width channels"]:
    """Puts zeros between rows and columns, filters, and makes up for the zeros with a factor of 4.

    This is the adjoint of `downsample` with the same taps, but for the factor.
    """
    rows, columns = (2 * _matrix(2 * size, taps).T for size in x.shape[1:3])
    return _along_both_axes(x, rows, columns)


def _along_both_axes(x: Array, rows: np.ndarray, columns: np.ndarray) -> Array:
    rows, columns = (jnp.asarray(matrix, x.dtype) for matrix in (rows, columns))
    # The default precision of GPUs and TPUs has 10 bits or fewer.
    return jnp.einsum("bhwc,hH,wW->bHWc", x, rows, columns, precision=lax.Precision.HIGHEST)


@functools.lru_cache
def _matrix(size: int, taps: tuple[float, ...]) -> Float[np.ndarray, "size half"]:
    """The weight of each pixel of a row in each pixel of the row of half the length."""
    offsets = np.arange(size)[:, None] - 2 * np.arange(size // 2) + len(taps) // 2 - 1
    within = (offsets >= 0) & (offsets < len(taps))
    return np.where(within, np.asarray(taps)[np.clip(offsets, 0, len(taps) - 1)], 0.0)
