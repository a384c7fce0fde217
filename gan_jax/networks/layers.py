"""Layers that several architectures share."""

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from gan_jax.ops.conv import conv, conv_transpose


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _affine(module, operation, x):
    """Parameters and arithmetic that both layers share."""
    shape = (*_pair(module.kernel_size), x.shape[-1], module.features)
    kernel = module.param("kernel", nn.initializers.glorot_uniform(), shape, jax.numpy.float32)
    y = operation(x, kernel.astype(x.dtype), module.stride)
    if module.use_bias:
        bias = module.param("bias", nn.initializers.zeros, (module.features,))
        y = y + bias.astype(x.dtype)
    return y


class Conv(nn.Module):
    """Convolution equal to `flax.linen.Conv(features, kernel_size, stride)` with padding "SAME".

    Same parameters (`kernel` of shape [height, width, inputs, features], `bias`), same results;
    kernels start Glorot-uniform and biases at zero, as in Keras.
    """

    features: int
    kernel_size: int | tuple[int, int]
    stride: int = 1
    use_bias: bool = True

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width inputs"]
    ) -> Float[Array, "batch out_height out_width features"]:
        """Maps of ceil(height / stride) x ceil(width / stride)."""
        return _affine(self, conv, x)


class ConvTranspose(nn.Module):
    """Transposed convolution equal to `flax.linen.ConvTranspose` with padding "SAME".

    Same parameters (`kernel` of shape [height, width, inputs, features], `bias`), same results;
    kernels start Glorot-uniform and biases at zero, as in Keras.
    """

    features: int
    kernel_size: int | tuple[int, int]
    stride: int = 1
    use_bias: bool = True

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width inputs"]
    ) -> Float[Array, "batch out_height out_width features"]:
        """Maps of height * stride x width * stride."""
        return _affine(self, conv_transpose, x)
