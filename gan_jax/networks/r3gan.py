"""R3GAN, a modern baseline: residual networks without normalisation, for images of 4 * 2^n pixels.

Huang et al. (2024): residual bottlenecks with grouped convolutions, Fixup initialisation (Zhang,
Dauphin, Ma, 2019) instead of normalisation, and filtered resampling. Equal to the authors' networks
(`benchmarks/parity_r3gan.py`), borders and initialisation included. Meant for
`losses.RelativisticPairing` with `penalties.R1` and `R2`. The default sizes train on a CPU, as
`experiments/r3gan_mnist.py` does; `experiments/r3gan_cifar10.py` has the authors' sizes, for a GPU.
"""

import functools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.networks.conditions import check_condition, one_hot
from gan_jax.networks.layers import Conv
from gan_jax.ops.resampling import downsample, upsample

SLOPE = 0.2  # of the leaky ReLUs
GAIN = 2 / (1 + SLOPE**2)  # of the variance, making up for what such a ReLU removes

linear = nn.initializers.variance_scaling(1.0, "fan_in", "normal")
leaky_relu = functools.partial(nn.leaky_relu, negative_slope=SLOPE)


def check(network: Any) -> None:
    """Checks the fields that generator and discriminator have in common.

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
    """Latent -> 4 x 4 map -> residual blocks and upsampling -> image, without a final nonlinearity.

    Attributes:
        widths: channels at each resolution, the lowest first; n resolutions give images of
            4 * 2^(n - 1) pixels. Each width times `expansion` is a multiple of `group`.
        blocks: residual blocks at each resolution, at least 1.
        group: channels per group of the grouped convolutions, at least 1.
        expansion: factor by which these convolutions are wider than the map, at least 1.
        image_channels: 1 (grey) or 3 (RGB).
        classes: number of classes, an embedding of which is appended to the latent; 0 is
            unconditional.
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
        """Maps latents, and labels if any, to images; the same in training and inference."""
        check_condition(condition, self.classes)
        if self.classes:
            label = one_hot(condition, self.classes, latent.dtype)
            embedded = nn.Dense(latent.shape[-1], use_bias=False, kernel_init=linear)(label)
            latent = jnp.concatenate([latent, embedded], axis=-1)
        # Each channel of the first map is a learnt pattern, scaled by a function of the latent.
        scales = nn.Dense(self.widths[0], use_bias=False, kernel_init=linear)(latent)
        normal = nn.initializers.normal(1.0)
        pattern = self.param("pattern", normal, (4, 4, self.widths[0]), jnp.float32)
        x = pattern.astype(latent.dtype) * scales[:, None, None, :]
        blocks = self.blocks * len(self.widths)
        for stage, width in enumerate(self.widths):
            if stage:
                x = upsample(_to_width(x, width))
            for _ in range(self.blocks):
                x = Block(self.group, self.expansion, blocks)(x)
        return nn.Dense(self.image_channels, use_bias=False, kernel_init=linear)(x)


class Discriminator(nn.Module):
    """Image -> residual blocks and downsampling -> 4 x 4 map -> logit.

    Attributes:
        widths: channels at each resolution, the lowest first, as for the generator.
        blocks: residual blocks at each resolution, at least 1.
        group: channels per group of the grouped convolutions, at least 1.
        expansion: factor by which these convolutions are wider than the map, at least 1.
        classes: number of classes; the logit is then the inner product of the features with an
            embedding of the label (Miyato and Koyama, 2018). 0 is unconditional.
        embedding: length of this embedding, to which the features are projected first, as the
            authors do with the length `widths[0]`; 0 embeds in the space of the features, without
            projecting them.
    """

    widths: tuple[int, ...] = (64, 64, 32, 32)
    blocks: int = 1
    group: int = 16
    expansion: int = 2
    classes: int = 0
    embedding: int = 0

    def __post_init__(self) -> None:
        check(self)
        check_bounds(self, "embedding", at_least=0)
        if self.embedding and not self.classes:
            raise RequestError(
                f"Discriminator.embedding = {self.embedding}: is of labels; give classes, too"
            )
        super().__post_init__()

    @nn.compact
    def __call__(
        self,
        sample: Float[Array, "batch height width channels"],
        condition: Any = None,
        *,
        training: bool,
    ) -> Float[Array, " batch"]:
        """Maps images, and labels if any, to logits; the same in training and inference."""
        check_condition(condition, self.classes)
        blocks = self.blocks * len(self.widths)
        x = nn.Dense(self.widths[-1], use_bias=False, kernel_init=linear)(sample)
        for stage in reversed(range(len(self.widths))):
            for _ in range(self.blocks):
                x = Block(self.group, self.expansion, blocks)(x)
            if stage:
                x = _to_width(downsample(x), self.widths[stage - 1])
        # The counterpart of the generator's first map: a learnt pattern for each channel.
        normal = nn.initializers.normal((x.shape[1] * x.shape[2]) ** -0.5)
        pattern = self.param("pattern", normal, (*x.shape[1:3], self.widths[0]), jnp.float32)
        # In float32: relativistic losses take differences of logits that may be far from 0.
        features = (x.astype(jnp.float32) * pattern.astype(jnp.float32)).sum(axis=(1, 2))
        if not self.classes:
            return nn.Dense(1, use_bias=False, kernel_init=linear)(features)[:, 0]
        label = one_hot(condition, self.classes, features.dtype)
        if not self.embedding:
            weights = nn.initializers.variance_scaling(1 / self.classes, "fan_in", "normal")
            logits = nn.Dense(self.classes, use_bias=False, kernel_init=weights)(features)
            return (logits * label).sum(axis=-1)
        # Both initialisers give an embedding the variance 1 / (classes * length).
        weights = nn.initializers.variance_scaling(1 / self.embedding, "fan_in", "normal")
        features = nn.Dense(self.embedding, use_bias=False, kernel_init=linear)(features)
        label = nn.Dense(self.embedding, use_bias=False, kernel_init=weights)(label)
        return (features * label).sum(axis=-1)


class Block(nn.Module):
    """A residual bottleneck block that starts as the identity.

    Attributes:
        group: channels per group of the grouped convolution.
        expansion: factor by which that convolution is wider than the map.
        blocks: number of blocks in the whole network, on which the initialisation depends.
    """

    group: int
    expansion: int
    blocks: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"]
    ) -> Float[Array, "batch height width channels"]:
        """Adds to `x` a 1 x 1, a grouped 3 x 3 and a 1 x 1 convolution of it, in sequence."""
        channels = x.shape[-1]
        wide = channels * self.expansion
        # Fixup with three layers per block: blocks^(-1 / (2 * 3 - 2)), and zero for the last one.
        init = nn.initializers.variance_scaling(GAIN * self.blocks**-0.5, "fan_in", "normal")
        y = leaky_relu(nn.Dense(wide, kernel_init=init)(x))
        y = leaky_relu(Conv(wide, 3, kernel_init=init, groups=wide // self.group)(y))
        zeros = nn.initializers.zeros_init()
        return x + nn.Dense(channels, use_bias=False, kernel_init=zeros)(y)


def _to_width(x: Array, width: int) -> Array:
    if x.shape[-1] == width:
        return x
    return nn.Dense(width, use_bias=False, kernel_init=linear)(x)
