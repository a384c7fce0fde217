"""Convolutions of sequences, as those of maps of width one without a stride.

A stride of s along one axis can be folded into the channels: s neighbouring positions become one
with s times the channels, and the kernel, with zeros in front and behind, one of blocks of s taps.
So sequences use the contractions of `gan_jax.ops.conv`, which are fast at stride 1, with gradients
of every order.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gan_jax.common.errors import RequestError
from gan_jax.ops import conv
from gan_jax.ops.geometry import Geometry, convolution, transposed_convolution


def conv1d(
    x: Float[Array, "batch time inputs"],
    kernel: Float[Array, "taps inputs outputs"],
    stride: int = 1,
) -> Float[Array, "batch coarse_time outputs"]:
    """Convolves sequences with a kernel, zero-padded to "SAME": the operation of `flax.linen.Conv`.

    The result has the dtype of `x`, which must be that of `kernel`, and ceil(time / stride)
    positions. Reverse-mode differentiation works to any order, also under `vmap` of either
    argument; forward mode (`jax.jvp`) does not.

    Raises:
        RequestError: the shapes or dtypes do not fit, or the stride is not an integer from 1 on.
    """
    _check("conv1d", x, kernel, stride)
    batch, time, _ = x.shape
    geometry, kernel = _without_stride(convolution((time, 1), (len(kernel), 1), stride), kernel)
    x = jnp.pad(x, ((0, 0), (0, geometry.fine[0] * stride - time), (0, 0)))
    return conv.down(geometry, x.reshape(batch, *geometry.fine, -1), kernel)[:, :, 0]


def conv1d_transpose(
    x: Float[Array, "batch time inputs"],
    kernel: Float[Array, "taps inputs outputs"],
    stride: int = 1,
) -> Float[Array, "batch fine_time outputs"]:
    """Applies the transposed convolution of `flax.linen.ConvTranspose` with padding "SAME".

    The result has the dtype of `x`, which must be that of `kernel`, and time * stride positions.
    Derivatives are as in `conv1d`.

    Raises:
        RequestError: the shapes or dtypes do not fit, or the stride is not an integer from 1 on.
    """
    _check("conv1d_transpose", x, kernel, stride)
    batch, time, _ = x.shape
    geometry = transposed_convolution((time, 1), (len(kernel), 1), stride)
    geometry, kernel = _without_stride(geometry, kernel[::-1].swapaxes(1, 2))
    return conv.up(geometry, x[:, :, None], kernel).reshape(batch, time * stride, -1)


def upsampled_conv1d(
    x: Float[Array, "batch time inputs"],
    kernel: Float[Array, "taps inputs outputs"],
    factor: int,
) -> Float[Array, "batch fine_time outputs"]:
    """Repeats each position `factor` times and then convolves, zero-padded to "SAME".

    Repeating is a transposed convolution with ones, so both are one with a kernel that is longer by
    factor - 1 taps: there is no long sequence in between. Derivatives are as in `conv1d`.

    Args:
        x: the sequences.
        kernel: of an odd number of taps.
        factor: at least 1.

    Raises:
        RequestError: the shapes or dtypes do not fit, the factor is not an integer from 1 on, or
            the number of taps is even.
    """
    _check("upsampled_conv1d", x, kernel, factor)
    if not len(kernel) % 2:
        raise RequestError(f"upsampled_conv1d: {len(kernel)} taps: must be an odd number")
    together = sum(
        jnp.pad(kernel, ((shift, factor - 1 - shift), (0, 0), (0, 0))) for shift in range(factor)
    )
    return conv1d_transpose(x, together, factor)


def _without_stride(geometry: Geometry, kernel: Array) -> tuple[Geometry, Array]:
    """The same contraction with blocks of `stride` fine positions for positions."""
    stride, (before, _) = geometry.stride, geometry.before
    taps, inputs, outputs = kernel.shape
    in_front = -before % stride
    blocks = -(-(in_front + taps) // stride)
    kernel = jnp.pad(kernel, ((in_front, blocks * stride - in_front - taps), (0, 0), (0, 0)))
    kernel = kernel.reshape(blocks, 1, stride * inputs, outputs)
    before = (before + in_front) // stride
    fine = (geometry.phase[0], 1)
    return Geometry(1, fine, geometry.coarse, (blocks, 1), (before, 0)), kernel


def _check(operation: str, x: Array, kernel: Array, stride: int) -> None:
    if x.ndim != 3 or kernel.ndim != 3:
        right = "must be [batch, time, inputs] and [taps, inputs, outputs]"
        wrong = f"{operation}: x has shape {x.shape} and kernel {kernel.shape}"
        raise RequestError(f"{wrong}: {right}")
    conv.check(operation, x[:, :, None], kernel[:, None], stride)
