"""The classic DCGAN: a generator of transposed convolutions, a discriminator of two convolutions.

Radford, Metz, Chintala (2016), in the form that became the usual first GAN on MNIST: by default
with BatchNorm in the generator only and dropout in the discriminator. Initialisers and constants
are Keras's.
"""

import functools
from typing import Any

import flax.linen as nn
from jaxtyping import Array, Float

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.networks.layers import Conv, ConvTranspose, Dropout, Spectral

Dense = functools.partial(nn.Dense, kernel_init=nn.initializers.glorot_uniform())
BatchNorm = functools.partial(nn.BatchNorm, momentum=0.99, epsilon=1e-3)
leaky_relu = functools.partial(nn.leaky_relu, negative_slope=0.3)


class Generator(nn.Module):
    """Latent -> Dense -> three transposed convolutions -> image in [-1, 1].

    Attributes:
        width: channels of the last hidden layer, at least 1; the two before it have 2 and 4 times
            as many.
        image_size: height and width of the image, a multiple of 4.
        image_channels: 1 (grey) or 3 (RGB).
    """

    width: int = 64
    image_size: int = 28
    image_channels: int = 1

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "width", at_least=1)
        if self.image_size < 4 or self.image_size % 4:
            raise RequestError(f"Generator.image_size = {self.image_size}: must be a multiple of 4")
        if self.image_channels not in (1, 3):
            raise RequestError(f"Generator.image_channels = {self.image_channels}: must be 1 or 3")
        super().__post_init__()

    @nn.compact
    def __call__(
        self, latent: Float[Array, "batch latent"], condition: Any = None, *, training: bool
    ) -> Float[Array, "batch image_size image_size image_channels"]:
        """Maps latents to images in [-1, 1].

        Raises:
            RequestError: there are labels; this generator is unconditional.
        """
        _refuse(condition)
        base = self.image_size // 4
        x = Dense(base * base * 4 * self.width, use_bias=False)(latent)
        x = leaky_relu(BatchNorm(use_running_average=not training)(x))
        x = x.reshape(-1, base, base, 4 * self.width)
        x = ConvTranspose(2 * self.width, 5, stride=1, use_bias=False)(x)
        x = leaky_relu(BatchNorm(use_running_average=not training)(x))
        x = ConvTranspose(self.width, 5, stride=2, use_bias=False)(x)
        x = leaky_relu(BatchNorm(use_running_average=not training)(x))
        x = ConvTranspose(self.image_channels, 5, stride=2, use_bias=False)(x)
        return nn.tanh(x)


class Discriminator(nn.Module):
    """Image -> two strided convolutions with dropout -> logit, where sigmoid(logit) = P(real).

    Attributes:
        width: channels of the first convolution, at least 1; the second has twice as many.
        dropout: probability that an activation is dropped in training, in [0, 1).
        hidden: units of a dense layer before the logit; 0, as in the classic form, for no such
            layer.
        batch_norm: whether to normalise all hidden layers but the first, as Radford et al. do, with
            separate statistics for real and fake batches. A logit then depends on the whole batch,
            and penalties on single examples, such as R1, lose their meaning.
        spectral: whether to normalise all kernels spectrally (Miyato et al., 2018).
    """

    width: int = 64
    dropout: float = 0.3
    hidden: int = 0
    batch_norm: bool = False
    spectral: bool = False

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "width", at_least=1)
        check_bounds(self, "dropout", at_least=0, below=1)
        check_bounds(self, "hidden", at_least=0)
        super().__post_init__()

    @nn.compact
    def __call__(
        self,
        sample: Float[Array, "batch height width channels"],
        condition: Any = None,
        *,
        training: bool,
    ) -> Float[Array, " batch"]:
        """Maps images in [-1, 1] to logits.

        Raises:
            RequestError: there are labels; this discriminator is unconditional.
        """
        _refuse(condition)

        def normalise(x):
            return BatchNorm(use_running_average=not training)(x) if self.batch_norm else x

        def layer(kind, *arguments, **options):
            if not self.spectral:
                return kind(*arguments, **options)
            made = functools.partial(kind, *arguments, **options)
            return functools.partial(Spectral(made), training=training)

        x = leaky_relu(layer(Conv, self.width, 5, stride=2)(sample))
        x = Dropout(self.dropout)(x, training=training)
        x = leaky_relu(normalise(layer(Conv, 2 * self.width, 5, stride=2)(x)))
        x = Dropout(self.dropout)(x, training=training)
        x = x.reshape(x.shape[0], -1)
        if self.hidden:
            x = leaky_relu(normalise(layer(Dense, self.hidden)(x)))
        return layer(Dense, 1)(x)[:, 0]


def _refuse(condition: Any) -> None:
    if condition is not None:
        raise RequestError("the classic DCGAN takes no condition: give the data labels=False")
