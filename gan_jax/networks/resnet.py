"""The residual networks of SNGAN, cGAN-PD and SAGAN, for images of 28 to 48 pixels.

Miyato et al. (2018), appendix B.4, table 4 and figure 8; with labels, Miyato and Koyama (2018),
appendix A. The generator's first map is base x base, with a base of 4 to 7, and is doubled until it
has the image's size: 32 = 4 * 8, 28 = 7 * 4.
"""

import functools
from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.networks.conditions import AuxiliaryClassifierOutput, check_condition, label_losses
from gan_jax.networks.layers import Conv, Normalise, SelfAttention, Spectral, relu_glorot


class Generator(nn.Module):
    """Latent -> Dense -> residual blocks that double the map -> image in [-1, 1].

    Attributes:
        width: channels of every map, at least 1.
        image_size: height and width of the image, 4 to 7 times a power of two.
        image_channels: 1 (grey) or 3 (RGB).
        normalisation: normalisation of all hidden layers, see `layers.Normalise`.
        classes: number of classes; "batch" normalisation is then conditional. 0 is unconditional.
        attention: whether to apply self-attention to the map of half the image's size.
        spectral: whether to normalise all kernels spectrally (Zhang et al., 2019).
    """

    width: int = 256
    image_size: int = 32
    image_channels: int = 3
    normalisation: Literal["batch", "layer", "none"] = "batch"
    classes: int = 0
    attention: bool = False
    spectral: bool = False

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "width image_channels", at_least=1)
        check_bounds(self, "classes", at_least=0)
        if self.classes and self.normalisation != "batch":
            raise RequestError(
                f"Generator.normalisation = {self.normalisation!r}: must be 'batch' with classes, "
                "because the label selects its scale and shift"
            )
        base_and_doublings(self.image_size)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, latent: Float[Array, "batch latent"], condition: Any = None, *, training: bool
    ) -> Float[Array, "batch image_size image_size image_channels"]:
        """Maps latents, and labels if any, to images in [-1, 1]."""
        check_condition(condition, self.classes)
        base, doublings = base_and_doublings(self.image_size)
        normalise = functools.partial(Normalise, self.normalisation)
        dense = functools.partial(
            nn.Dense, base * base * self.width, kernel_init=nn.initializers.glorot_uniform()
        )
        x = Spectral(dense, self.spectral)(latent, training=training)
        x = x.reshape(-1, base, base, self.width)
        for block in range(doublings):
            if self.attention and block == doublings - 1:
                x = SelfAttention(self.spectral)(x, training=training)
            y = nn.relu(normalise(self.classes)(x, condition, training=training))
            y = _convolved(_doubled(y), self.width, self.spectral, training)
            y = nn.relu(normalise(self.classes)(y, condition, training=training))
            y = _convolved(y, self.width, self.spectral, training)
            x = y + _doubled(_projected(x, self.width, self.spectral, training))
        x = nn.relu(normalise()(x, training=training))
        last = functools.partial(Conv, self.image_channels, 3)
        return nn.tanh(Spectral(last, self.spectral)(x, training=training))


class Discriminator(nn.Module):
    """Image -> residual blocks, some of which halve the map -> sum over positions -> logit.

    As it sums over positions, only the image's borders tell it where something is. Where that
    matters, as in spectrograms, one with a dense layer, such as `dcgan.Discriminator`, sees more.

    Attributes:
        width: channels of every map, at least 1.
        spectral: whether to normalise all kernels spectrally (Miyato et al., 2018).
        normalisation: normalisation of the blocks' hidden layers; "none" in the papers. "batch"
            cannot be combined with penalties on single examples, such as R1.
        classes: number of classes; 0 is unconditional.
        condition_by: how labels enter: "projection" adds the inner product of the embedded label
            and the features to the logit (Miyato and Koyama, 2018, equation 5); "classifier" also
            classifies, for `losses.AuxiliaryClassifier` (Odena et al., 2017).
        attention: whether to apply self-attention to the map after the first block.
    """

    width: int = 128
    spectral: bool = True
    normalisation: Literal["batch", "layer", "none"] = "none"
    classes: int = 0
    condition_by: Literal["projection", "classifier"] = "projection"
    attention: bool = False

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "width", at_least=1)
        check_bounds(self, "classes", at_least=0)
        super().__post_init__()

    @nn.compact
    def __call__(
        self,
        sample: Float[Array, "batch height width channels"],
        condition: Any = None,
        *,
        training: bool,
    ) -> Any:
        """Maps images in [-1, 1], and labels if any, to logits [batch].

        With `condition_by="classifier"` the result is a `AuxiliaryClassifierOutput`.
        """
        check_condition(condition, self.classes)

        def convolved(x):
            return _convolved(x, self.width, self.spectral, training)

        def projected(x):
            return _projected(x, self.width, self.spectral, training)

        def normalised(x):
            return Normalise(self.normalisation)(x, training=training)

        # Halved twice: 32 -> 16 -> 8, and 28 -> 14 -> 7.
        y = convolved(nn.relu(convolved(sample)))
        x = _halved(y) + projected(_halved(sample))
        if self.attention:
            x = SelfAttention(self.spectral)(x, training=training)
        for halving in (True, False, False):
            y = convolved(nn.relu(normalised(x)))
            y = convolved(nn.relu(normalised(y)))
            x = _halved(y) + projected(_halved(x)) if halving else x + y
        features = nn.relu(x).sum(axis=(1, 2))
        dense = functools.partial(nn.Dense, kernel_init=nn.initializers.glorot_uniform())
        one = functools.partial(dense, 1)
        logits = Spectral(one, self.spectral, name="logit")(features, training=training)[:, 0]
        if not self.classes:
            return logits
        if self.condition_by == "projection":
            embed = functools.partial(
                nn.Embed,
                self.classes,
                self.width,
                embedding_init=nn.initializers.glorot_uniform(),
            )
            embedded = Spectral(embed, self.spectral, name="label")(condition, training=training)
            return logits + (embedded * features).sum(axis=-1)
        of_classes = functools.partial(dense, self.classes)
        layer = Spectral(of_classes, self.spectral, name="classes")
        class_logits = layer(features, training=training)
        return AuxiliaryClassifierOutput(logits, label_losses(class_logits, condition))


def base_and_doublings(image_size: int) -> tuple[int, int]:
    """Returns the size of the generator's first map, and how often it is doubled.

    Raises:
        RequestError: the image size is not 4, 5, 6 or 7 times a power of two from 2 on.
    """
    base, doublings = image_size, 0
    while base > 7 and base % 2 == 0:
        base, doublings = base // 2, doublings + 1
    if not 4 <= base <= 7 or not doublings:
        raise RequestError(
            f"Generator.image_size = {image_size}: must be 4, 5, 6 or 7 times a power of two from "
            "2 on, 28 or 32 for example"
        )
    return base, doublings


def _convolved(x: Array, features: int, spectral: bool, training: bool) -> Array:
    conv = functools.partial(Conv, features, 3, kernel_init=relu_glorot)
    return Spectral(conv, spectral)(x, training=training)


def _projected(x: Array, features: int, spectral: bool, training: bool) -> Array:
    """The skip connection of a block: a 1 x 1 convolution, as a dense layer over channels.

    It commutes with doubling and halving, so it is applied to the smaller map.
    """
    dense = functools.partial(nn.Dense, features, kernel_init=nn.initializers.glorot_uniform())
    return Spectral(dense, spectral)(x, training=training)


def _doubled(x: Float[Array, "batch height width channels"]) -> Array:
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


def _halved(x: Float[Array, "batch height width channels"]) -> Array:
    return nn.avg_pool(x, (2, 2), strides=(2, 2))
