"""Moves images by affine maps, as band-limited signals that are reflected at their borders."""

import functools

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Array, Float

from gan_jax.ops.resampling import downsample, upsample

# Scaling filter of the wavelet "symlet 6" (Daubechies, 1992, table 6.3), divided by its sum.
SYMLET = (
    0.010892350163,
    0.002468306186,
    -0.083431607706,
    -0.034161560793,
    0.347228986478,
    0.556946391963,
    0.238952185667,
    -0.051362484930,
    -0.014891875649,
    0.031625281330,
    0.001249961047,
    -0.005515933754,
)
LATER = 0.5  # pixels of the finer image by which this filter, which is not symmetric, is early
MARGIN = 3  # pixels around the result that the filter reaches


def warp(
    images: Float[Array, "batch height width channels"], inverse: Float[Array, "batch 2 3"]
) -> Float[Array, "batch height width channels"]:
    """Moves each image by an affine map of its own.

    Karras et al. (2020a), appendix B: the images are upsampled, sampled linearly at the places that
    the pixels of the result come from, and downsampled. They go on beyond their borders, reflected
    once to each side; beyond that they are 0. Linear in the images, and differentiable with respect
    to them to any order.

    Args:
        images: at least 2 x 2.
        inverse: of each image, the matrix from (x, y, 1) of a pixel in the result to the (x, y) of
            the place in the image that it comes from, in pixels to the right of and below the
            centre.
    """
    height, width = images.shape[1:3]
    beyond = (height - 1, height - 1), (width - 1, width - 1)
    fine = upsample(jnp.pad(images, ((0, 0), *beyond, (0, 0)), mode="reflect"), SYMLET)
    y, x = ((_from_centre(2 * (size + 2 * MARGIN)) + LATER) / 2 for size in (height, width))
    places = []
    for row, size in ((1, fine.shape[1]), (0, fine.shape[2])):
        # Not a product of matrices, which GPUs and TPUs round to 10 bits or fewer.
        along_x, along_y, shift = (inverse[:, row, i, None, None] for i in range(3))
        place = along_x * x[None, None, :] + along_y * y[None, :, None] + shift
        places.append(2 * place - LATER + (size - 1) / 2)
    sampled = jax.vmap(_sampled)(fine, *places)
    return downsample(sampled, SYMLET)[:, MARGIN:-MARGIN, MARGIN:-MARGIN]


def _from_centre(size: int) -> Float[Array, " size"]:
    return jnp.arange(size) - (size - 1) / 2


def _sampled(image: Array, rows: Array, columns: Array) -> Array:
    of_channel = functools.partial(map_coordinates, coordinates=[rows, columns], order=1)
    return jax.vmap(of_channel, in_axes=-1, out_axes=-1)(image)
