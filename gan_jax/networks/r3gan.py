"""The modern baseline R3GAN: residual networks without normalisation, for images of 4 * 2^n pixels.

Huang et al. (2024): bottlenecks of grouped convolutions, fix-up
initialisation (Zhang, Dauphin, Ma, 2019) in the place of normalisation, and filtered resampling
(here with the filter (1, 3, 3, 1), which is a pixel longer than theirs).
Meant for `losses.RelativisticPairing` with `penalties.R1` and `R2`. The defaults train on a CPU;
`experiments/r3gan_cifar10.py` has a size for a GPU.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.networks.conditions import check_condition, one_hot

SLOPE = 0.2  # of leaky ReLUs
GAIN = 2 / (1 + SLOPE**2)  # variance that such a ReLU takes away

linear = nn.initializers.variance_scaling(1.0, "fan_in", "normal")
leaky_relu = functools.partial(nn.leaky_relu, negative_slope=SLOPE)


def check(network: Any) -> None:
    """Checks the fields that both players have.

    Raises:
        RequestError: names the field, its value and what would be right.
    """
    check_types(network)
    check_bounds(network, "blocks group expansion", at_least=1)
    check_bounds(network, "classes", at_least=0)
    wide = [width * network.expansion for width in network.widths]
    if not wide or any(width < 1 or width % network.group for width in wide):
        raise RequestError(
            f"{type(network).__name__}.widths = {network.widths}: each times the expansion, "
            f"{network.expansion}, must be a multiple of group = {network.group}"
        )


class Generator(nn.Module):
    """Latent -> map of 4 x 4 -> residual blocks and doublings -> image, linear at its end.

    Attributes:
        widths: channels of each map, the smallest first; the image has 4 * 2^(maps - 1) pixels.
        blocks: residual blocks at each map.
        group: channels of a group in the grouped convolutions.
        expansion: how many times wider these are than the map.
        image_channels: 1 (grey) or 3 (RGB).
        classes: number of labels, whose embedding joins the latent; 0 is unconditional.
    """

    widths: tuple[int, ...] = (64, 64, 32, 32)
    blocks: int = 1
    group: int = 16
    expansion: int = 2
    image_channels: int = 3
    classes: int = 0

    def __post_init__(self) -> None:
        check(self)
        check_bounds(self, "image_channels", at_least=1)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, latent: Float[Array, "batch latent"], condition: Any = None, *, training: bool
    ) -> Float[Array, "batch size size image_channels"]:
        """Maps latents, and labels if any, to images; alike in training and inference."""
        check_condition(condition, self.classes)
        if self.classes:
            label = one_hot(condition, self.classes, latent.dtype)
            embedded = nn.Dense(latent.shape[-1], use_bias=False, kernel_init=linear)(label)
            latent = jnp.concatenate([latent, embedded], axis=-1)
        # Each channel of the first map is a learnt pattern times a number made from the latent.
        numbers = nn.Dense(self.widths[0], use_bias=False, kernel_init=linear)(latent)
        normal = nn.initializers.normal(1.0)
        pattern = self.param("pattern", normal, (4, 4, self.widths[0]), jnp.float32)
        x = pattern.astype(latent.dtype) * numbers[:, None, None, :]
        blocks = self.blocks * len(self.widths)
        for stage, width in enumerate(self.widths):
            if stage:
                x = _doubled(_to_width(x, width))
            for _ in range(self.blocks):
                x = Block(self.group, self.expansion, blocks)(x)
        return nn.Dense(self.image_channels, use_bias=False, kernel_init=linear)(x)


class Discriminator(nn.Module):
    """Image -> residual blocks and halvings -> map of 4 x 4 -> logit.

    Attributes:
        widths: channels of each map, the smallest first, as the generator's.
        blocks: residual blocks at each map.
        group: channels of a group in the grouped convolutions.
        expansion: how many times wider these are than the map.
        classes: number of labels, with whose embedding the features are multiplied (Miyato and
            Koyama, 2018); 0 is unconditional.
    """

    widths: tuple[int, ...] = (64, 64, 32, 32)
    blocks: int = 1
    group: int = 16
    expansion: int = 2
    classes: int = 0

    def __post_init__(self) -> None:
        check(self)
        super().__post_init__()

    @nn.compact
    def __call__(
        self,
        sample: Float[Array, "batch height width channels"],
        condition: Any = None,
        *,
        training: bool,
    ) -> Float[Array, " batch"]:
        """Maps images, and labels if any, to logits; alike in training and inference."""
        check_condition(condition, self.classes)
        blocks = self.blocks * len(self.widths)
        x = nn.Dense(self.widths[-1], use_bias=False, kernel_init=linear)(sample)
        for stage in reversed(range(len(self.widths))):
            for _ in range(self.blocks):
                x = Block(self.group, self.expansion, blocks)(x)
            if stage:
                x = _to_width(_halved(x), self.widths[stage - 1])
        # The mirror of the generator's first map: a learnt pattern for each channel.
        normal = nn.initializers.normal((x.shape[1] * x.shape[2]) ** -0.5)
        pattern = self.param("pattern", normal, (*x.shape[1:3], self.widths[0]), jnp.float32)
        # In float32: relativistic losses take differences of logits that may be far from 0.
        features = (x.astype(jnp.float32) * pattern.astype(jnp.float32)).sum(axis=(1, 2))
        logits = nn.Dense(max(self.classes, 1), use_bias=False, kernel_init=linear)(features)
        if not self.classes:
            return logits[:, 0]
        return (logits * one_hot(condition, self.classes, logits.dtype)).sum(axis=-1)


class Block(nn.Module):
    """A residual bottleneck that starts as the identity.

    Attributes:
        group: channels of a group in the convolution.
        expansion: how many times wider it is than the map.
        blocks: how many of them the network has.
    """

    group: int
    expansion: int
    blocks: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"]
    ) -> Float[Array, "batch height width channels"]:
        """Adds 1 x 1, grouped 3 x 3 and 1 x 1 convolutions."""
        channels = x.shape[-1]
        wide = channels * self.expansion
        # Fix-up with three layers in a block: blocks^(-1 / (2 * 3 - 2)), and zero for the last.
        init = nn.initializers.variance_scaling(GAIN * self.blocks**-0.5, "fan_in", "normal")
        y = leaky_relu(nn.Dense(wide, kernel_init=init)(x))
        groups = wide // self.group
        y = leaky_relu(nn.Conv(wide, (3, 3), feature_group_count=groups, kernel_init=init)(y))
        zeros = nn.initializers.zeros_init()
        return x + nn.Dense(channels, use_bias=False, kernel_init=zeros)(y)


def _to_width(x: Array, width: int) -> Array:
    if x.shape[-1] == width:
        return x
    return nn.Dense(width, use_bias=False, kernel_init=linear)(x)


def _halved(x: Float[Array, "batch height width channels"]) -> Array:
    """Half the size, with the filter (1, 3, 3, 1) against aliasing."""
    return _resized(x, x.shape[1] // 2, x.shape[2] // 2)


def _doubled(x: Float[Array, "batch height width channels"]) -> Array:
    """Twice the size, linear between the old places: the same filter."""
    return _resized(x, x.shape[1] * 2, x.shape[2] * 2)


def _resized(x: Array, height: int, width: int) -> Array:
    return jax.image.resize(x, (len(x), height, width, x.shape[-1]), "linear")
