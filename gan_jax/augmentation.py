"""Differentiable augmentations of all samples that the discriminator sees, real and fake.

An augmentation is a function, or a frozen dataclass with a `__call__` method, with the signature
`augmentation(sample, key, state)`. It maps samples [batch, ...] to samples of the same shape.
`state` is the `gan.GANState`, whose `step` and `statistics` tell how far training has come. The
generator's gradient flows through the augmentation, so that the generator does not learn to make
augmented samples (Zhao et al., 2020, section 3.2).

An augmentation with a method `next_probability` (see `Adaptive`) determines the value of
`statistics.augmentation` at the next step.
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_object, check_types

Sample = Float[Array, "batch ..."]
Images = Float[Array, "batch height width channels"]


@dataclasses.dataclass(frozen=True)
class DiffAugment:
    """DiffAugment: random colour changes, translation and cutout of images.

    Zhao et al. (2020), with the ranges of their appendix A: brightness shifts by up to 0.5,
    saturation is multiplied by 0 to 2 and contrast by 0.5 to 1.5. Pixels that are moved in or cut
    out are 0, which is grey.

    Attributes:
        colour: whether to change brightness, saturation and contrast.
        translation: largest shift, as a fraction of height and width, in [0, 1); 0 is off.
        cutout: side of the square that is cut out, as a fraction of height and width, in [0, 1); 0
            is off.
    """

    colour: bool = True
    translation: float = 0.125
    cutout: float = 0.5

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "translation cutout", at_least=0, below=1)

    def __call__(self, sample: Images, key: PRNGKeyArray, state: Any) -> Images:
        """Augments images in [-1, 1], each independently of the others.

        Raises:
            RequestError: the samples are not images [batch, height, width, channels].
        """
        if sample.ndim != 4:
            shape = list(sample.shape[1:])
            raise RequestError(f"DiffAugment takes images [height, width, channels], not {shape}")
        colour_key, translation_key, cutout_key = jax.random.split(key, 3)
        if self.colour:
            sample = _recoloured(sample, colour_key)
        if self.translation:
            sample = _translated(sample, translation_key, self.translation)
        if self.cutout:
            sample = _cut_out(sample, cutout_key, self.cutout)
        return sample


@dataclasses.dataclass(frozen=True)
class Adaptive:
    """Adaptive augmentation (ADA): augments more often the more the discriminator overfits.

    Karras et al. (2020a), equation 1: the probability rises while the mean sign of the logits of
    real examples is above `target`, and falls while it is below. The paper augments with geometric
    and colour transformations; here any augmentation can be wrapped. The loss must give the sign of
    a logit a meaning (see `gan_jax.losses`): Wasserstein and the relativistic losses do not.

    Attributes:
        augmentation: the wrapped augmentation, for example `DiffAugment()`.
        target: target of the mean sign, in [-1, 1).
        images: number of real examples in which the probability moves from 0 to 1 at most.
    """

    augmentation: Any = DiffAugment()
    target: float = 0.6
    images: int = 500_000

    def __post_init__(self) -> None:
        check_types(self)
        check_object("Adaptive", "augmentation", self.augmentation, "__call__", "DiffAugment()")
        if hasattr(self.augmentation, "next_probability"):
            raise RequestError(
                "Adaptive.augmentation is itself adaptive: give the augmentation that it wraps"
            )
        check_bounds(self, "target", at_least=-1, below=1)
        check_bounds(self, "images", at_least=1)

    def __call__(self, sample: Sample, key: PRNGKeyArray, state: Any) -> Sample:
        """Augments each sample with probability `state.statistics.augmentation`."""
        which_key, key = jax.random.split(key)
        shape = (len(sample), *[1] * (sample.ndim - 1))
        chosen = jax.random.uniform(which_key, shape) < state.statistics.augmentation
        return jnp.where(chosen, self.augmentation(sample, key, state), sample)

    def next_probability(self, statistics: Any, examples: int) -> Float[Array, ""]:
        """Returns the probability, in [0, 1], after a step on this number of real examples."""
        direction = jnp.sign(statistics.sign_real - self.target)
        return jnp.clip(statistics.augmentation + direction * examples / self.images, 0, 1)


@dataclasses.dataclass(frozen=True)
class InstanceNoise:
    """Instance noise: adds normal noise to the discriminator's inputs, which may decay to 0.

    Sonderby et al. (2017), section 3.4; Arjovsky and Bottou (2017), section 3: two distributions
    with separate supports overlap once both are blurred, so that the discriminator has useful
    gradients.

    Attributes:
        deviation: standard deviation of the noise at the first step, in units of the samples, at
            least 0.
        steps: number of steps over which the deviation falls linearly to 0; None keeps it constant.
    """

    deviation: float = 0.1
    steps: int | None = None

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "deviation", at_least=0)
        check_bounds(self, "steps", at_least=1)

    def __call__(self, sample: Sample, key: PRNGKeyArray, state: Any) -> Sample:
        """Adds noise with the deviation of the current step."""
        left = 1.0 if self.steps is None else jnp.maximum(1 - state.step / self.steps, 0)
        return sample + self.deviation * left * jax.random.normal(key, sample.shape, sample.dtype)


def _recoloured(images: Images, key: PRNGKeyArray) -> Images:
    brightness, saturation, contrast = jax.random.uniform(key, (3, len(images), 1, 1, 1))
    images = images + (brightness - 0.5)
    grey = images.mean(axis=-1, keepdims=True)
    images = grey + 2 * saturation * (images - grey)
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    return mean + (contrast + 0.5) * (images - mean)


def _translated(images: Images, key: PRNGKeyArray, fraction: float) -> Images:
    _, height, width, channels = images.shape
    down, right = _pixels(height, fraction), _pixels(width, fraction)
    padded = jnp.pad(images, ((0, 0), (down, down), (right, right), (0, 0)))
    beyond = jnp.array([2 * down + 1, 2 * right + 1])
    corners = jax.random.randint(key, (len(images), 2), 0, beyond)

    def cropped(image, corner):
        return jax.lax.dynamic_slice(image, (*corner, 0), (height, width, channels))

    return jax.vmap(cropped)(padded, corners)


def _pixels(size: int, fraction: float) -> int:
    """The pixels of a fraction of an image, rounded half up as in the authors' code."""
    return math.floor(size * fraction + 0.5)


def _cut_out(images: Images, key: PRNGKeyArray, fraction: float) -> Images:
    # The square's centre may be any pixel, so that part of the square may lie outside the image.
    inside = True
    for axis, axis_key in zip((1, 2), jax.random.split(key), strict=True):
        size = images.shape[axis]
        side = _pixels(size, fraction)
        beyond = size + 1 - side % 2
        first = jax.random.randint(axis_key, (len(images), 1), 0, beyond) - side // 2
        places = jnp.arange(size)
        within = (places >= first) & (places < first + side)
        inside = inside & jnp.expand_dims(within, 3 - axis)
    return jnp.where(inside[..., None], 0, images)
