"""Residual networks for images of 28 to 48 pixels: those of SNGAN, cGAN-PD and SAGAN.

Miyato et al. (2018), appendix B.4, table 4 and figure 8; with labels Miyato and Koyama (2018),
appendix A. The image grows from `base` x `base`, where base is 4 to 7: 32 = 4 * 8, 28 = 7 * 4.
"""

import functools
from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.networks.conditions import AuxiliaryClassifierOutput, check_condition, label_losses
from gan_jax.networks.layers import Conv, Normalise, SelfAttention, Spectral

# Glorot's with a gain of the root of two, for layers that a ReLU follows or precedes.
before_relu = nn.initializers.variance_scaling(2.0, "fan_avg", "uniform")


class Generator(nn.Module):
    """Latent -> Dense -> residual blocks that double the map -> image in [-1, 1].

    Attributes:
        width: channels of every map.
        image_size: height and width of the image, 4 to 7 times a power of two.
        image_channels: 1 (grey) or 3 (RGB).
        normalisation: of all hidden layers, see `layers.Normalise`.
        classes: number of labels, by which "batch" normalises; 0 is unconditional.
        attention: self-attention on the map of half the image's size.
        spectral: normalise all kernels spectrally (Zhang et al., 2019).
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
                "as the label chooses its scale and shift"
            )
        base_and_doublings(self.image_size)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, latent: Float[Array, "batch latent"], condition: Any = None, *, training: bool
    ) -> Float[Array, "batch image_size image_size image_channels"]:
        """Maps latents, and labels if any, to images."""
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
            x = y + _projected(_doubled(x), self.width, self.spectral, training)
        x = nn.relu(normalise()(x, training=training))
        last = functools.partial(Conv, self.image_channels, 3)
        return nn.tanh(Spectral(last, self.spectral)(x, training=training))


class Discriminator(nn.Module):
    """Image -> residual blocks, of which some halve the map -> sum over places -> logit.

    Attributes:
        width: channels of every map.
        spectral: normalise all kernels spectrally.
        normalisation: of hidden layers in blocks; "none" in the papers. Penalties for single
            examples, R1 for example, exclude "batch".
        classes: number of labels; 0 is unconditional.
        condition_by: "projection" adds the product of an embedded label with the features to the
            logit (Miyato and Koyama, 2018, equation 5); "classifier" tells the class besides, for
            `losses.AuxiliaryClassifier` (Odena et al., 2017).
        attention: self-attention on the map after the first block.
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
        """Maps images in [-1, 1], and labels if any, to logits, with label losses or not."""
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
            x = _halved(y) + _halved(projected(x)) if halving else x + y
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
    """Returns how large the first map is, and how often it doubles.

    Raises:
        RequestError: the size is not 4 to 7 times a power of two, with at least two doublings.
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
    conv = functools.partial(Conv, features, 3, kernel_init=before_relu)
    return Spectral(conv, spectral)(x, training=training)


def _projected(x: Array, features: int, spectral: bool, training: bool) -> Array:
    """The way around a block: a convolution of 1 x 1, which is a product for each place."""
    dense = functools.partial(nn.Dense, features, kernel_init=nn.initializers.glorot_uniform())
    return Spectral(dense, spectral)(x, training=training)


def _doubled(x: Float[Array, "batch height width channels"]) -> Array:
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


def _halved(x: Float[Array, "batch height width channels"]) -> Array:
    return nn.avg_pool(x, (2, 2), strides=(2, 2))
