"""Layers that several architectures share."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from gan_jax.checks import check_bounds
from gan_jax.ops.conv import conv, conv_transpose


class Conv(nn.Module):
    """Convolution that equals `flax.linen.Conv` with padding "SAME" and is faster on CPU.

    It has the same parameters, `kernel` of shape [height, width, inputs, features] and `bias` of
    shape [features], and gives the same maps; it computes in the dtype of its input. Kernels start
    Glorot-uniform (Glorot and Bengio, 2010, equation 16) and biases at zero, as in Keras.
    """

    features: int
    kernel_size: int | tuple[int, int]
    stride: int = 1
    use_bias: bool = True

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width inputs"]
    ) -> Float[Array, "batch coarse_height coarse_width {self.features}"]:
        """Gives maps of ceil(height / stride) x ceil(width / stride)."""
        return _apply(self, conv, x)


class ConvTranspose(nn.Module):
    """Transposed convolution that equals `flax.linen.ConvTranspose` with padding "SAME".

    It has the same parameters, `kernel` of shape [height, width, inputs, features] and `bias` of
    shape [features], gives the same maps and is faster on CPU; it computes in the dtype of its
    input. Kernels start Glorot-uniform (Glorot and Bengio, 2010, equation 16) and biases at zero,
    as in Keras.
    """

    features: int
    kernel_size: int | tuple[int, int]
    stride: int = 1
    use_bias: bool = True

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width inputs"]
    ) -> Float[Array, "batch height*{self.stride} width*{self.stride} {self.features}"]:
        """Gives maps of height * stride x width * stride."""
        return _apply(self, conv_transpose, x)


class Dropout(nn.Module):
    """Dropout (Srivastava et al., 2014) that spends 16 random bits on each activation.

    It drops with the multiple of 2^-16 next to `rate`, strictly between 0 and 1, and divides what
    it keeps by the share that is kept, so the expectation is the input's, to the dtype's rounding.
    Flax's own spends 32 bits and several times the time (`benchmarks/pieces.py`).

    Attributes:
        rate: probability that an activation is dropped, in [0, 1); 0 drops nothing.
    """

    rate: float

    def __post_init__(self) -> None:
        check_bounds(self, "rate", at_least=0, below=1)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Float[Array, "*shape"], *, training: bool) -> Float[Array, "*shape"]:
        """Draws the mask from the random stream "dropout", in training only."""
        if not training or self.rate == 0:
            return x
        kept = min(max(round((1 - self.rate) * 2**16), 1), 2**16 - 1)
        words = jax.random.bits(self.make_rng("dropout"), ((x.size + 1) // 2,), jnp.uint32)
        halves = lax.bitcast_convert_type(words, jnp.uint16).reshape(-1)[: x.size]
        return jnp.where(halves.reshape(x.shape) < kept, x * (2**16 / kept), 0)


def _apply(
    layer: Conv | ConvTranspose, operation: Callable[[Array, Array, int], Array], x: Array
) -> Array:
    size = layer.kernel_size
    height, width = (size, size) if isinstance(size, int) else size
    kernel = layer.param(
        "kernel",
        nn.initializers.glorot_uniform(),
        (height, width, x.shape[-1], layer.features),
        jnp.float32,
    )
    y = operation(x, kernel.astype(x.dtype), layer.stride)
    if not layer.use_bias:
        return y
    bias = layer.param("bias", nn.initializers.zeros_init(), (layer.features,), jnp.float32)
    return y + bias.astype(x.dtype).reshape(1, 1, 1, -1)
