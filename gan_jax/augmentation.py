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
import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from gan_jax.common.errors import RequestError
from gan_jax.common.schedules import check_number_or_schedule, value_at
from gan_jax.common.validation import check_bounds, check_object, check_types
from gan_jax.ops.warping import warp

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
        _check_images(self, sample)
        colour_key, translation_key, cutout_key = jax.random.split(key, 3)
        if self.colour:
            sample = _recoloured(sample, colour_key)
        if self.translation:
            sample = _translated(sample, translation_key, self.translation)
        if self.cutout:
            sample = _cut_out(sample, cutout_key, self.cutout)
        return sample


@dataclasses.dataclass(frozen=True)
class GeometryAndColour:
    """The augmentations of ADA: images are moved, turned, scaled, recoloured and cut.

    Karras et al. (2020a), appendix B: flips along x, quarter turns, shifts by whole pixels (up to
    an eighth of the image); scaling, turns by any angle, stretching, shifts; brightness, contrast,
    inverted luma, hue and saturation; and one square cut out of half the image's side. Each is
    applied, or not, to each image by itself, and one image may get several or none: their
    probability should stay below 0.8, above which the generator makes augmented images. (The
    paper's filters and noise, which it does not recommend, are not here.)

    Attributes:
        probability: of each transformation, in [0, 1], or a schedule of it: for example
            `Schedule("cosine", 10_000, start=0.0, end=0.5)`.
        geometry: factor of the probability of flips, turns, shifts, scaling and stretching, in
            [0, 1].
        colour: factor of the probability of each change of colour, in [0, 1].
        cutout: factor of the probability that a square is cut out, in [0, 1].
    """

    probability: Any = 1.0
    geometry: float = 1.0
    colour: float = 1.0
    cutout: float = 0.0

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("probability", "geometry", "colour", "cutout"):
            check_number_or_schedule(self, name, "in [0, 1]", lambda factor: 0 <= factor <= 1)

    def __call__(self, sample: Images, key: PRNGKeyArray, state: Any) -> Images:
        """Augments images in [-1, 1], grey or coloured, each independently of the others.

        Raises:
            RequestError: the samples are not images of 1 or 3 channels, at least 2 pixels wide.
        """
        _check_images(self, sample)
        if sample.shape[-1] not in (1, 3) or min(sample.shape[1:3]) < 2:
            right = "images of 1 or 3 channels and at least 2 x 2 pixels"
            raise RequestError(f"GeometryAndColour takes {right}, not {list(sample.shape[1:])}")
        probability = value_at(self.probability, state.step)
        keys = jax.random.split(key, 3)
        if self.geometry:
            inverse = _inverse_map(keys[0], sample.shape, probability * self.geometry)
            sample = warp(sample, inverse)
        if self.colour:
            sample = _colours_changed(sample, keys[1], probability * self.colour)
        if self.cutout:
            sample = _half_cut_out(sample, keys[2], probability * self.cutout)
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


def _check_images(augmentation: Any, sample: Sample) -> None:
    if sample.ndim != 4:
        name, shape = type(augmentation).__name__, list(sample.shape[1:])
        raise RequestError(f"{name} takes images [height, width, channels], not {shape}")


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


def _inverse_map(key: PRNGKeyArray, shape: tuple[int, ...], probability: Any) -> Array:
    """Matrices [batch, 2, 3] from pixels of the augmented images to places in the given ones."""
    count, height, width, _ = shape
    uniform, normal, sometimes = _draws(key, count, probability)
    once = 1 - jnp.sqrt(1 - probability)  # of one of two turns, where either has the probability
    one, zero = jnp.ones(count), jnp.zeros(count)

    def affine(*numbers):
        return jnp.stack(numbers, axis=-1).reshape(count, 2, 3)

    def scaled(x, y):
        return affine(x, zero, zero, zero, y, zero)

    def turned(angle):
        return affine(jnp.cos(angle), -jnp.sin(angle), zero, jnp.sin(angle), jnp.cos(angle), zero)

    def shifted(x, y):
        return affine(one, zero, -x, zero, one, -y)

    size = jnp.array([[width], [height]])
    flip = sometimes(jnp.floor(uniform(0, 2)), 0)
    quarters = sometimes(jnp.floor(uniform(0, 4)), 0)
    whole_shift = jnp.stack([uniform(-0.125, 0.125), uniform(-0.125, 0.125)])
    scale = sometimes(jnp.exp2(normal(0.2)), 1)
    stretch = sometimes(jnp.exp2(normal(0.2)), 1)
    first, second = (sometimes(uniform(-jnp.pi, jnp.pi), 0, once) for _ in range(2))
    shift = jnp.stack([normal(0.125), normal(0.125)])
    maps = (
        scaled(1 - 2 * flip, one),
        turned(jnp.pi / 2 * quarters),
        shifted(*sometimes(jnp.round(size * whole_shift), 0)),
        scaled(1 / scale, 1 / scale),
        turned(first),
        scaled(1 / stretch, stretch),
        turned(second),
        shifted(*sometimes(size * shift, 0)),
    )
    return functools.reduce(_composed, maps)


def _composed(outer: Array, inner: Array) -> Array:
    """The affine maps p -> outer(inner(p)), [batch, 2, 3], in full float32 precision."""
    product = (outer[:, :, :2, None] * inner[:, None, :, :]).sum(axis=2)
    return product.at[:, :, 2].add(outer[:, :, 2])


def _colours_changed(images: Images, key: PRNGKeyArray, probability: Any) -> Images:
    """Brightness and contrast change all channels, and the rest luma or its complement, chroma."""
    uniform, normal, sometimes = _draws(key, len(images), probability)

    def each(values):
        return values[:, None, None, None]

    images = images + each(sometimes(normal(0.2), 0))
    images = images * each(sometimes(jnp.exp2(normal(0.5)), 1))
    luma = images.mean(axis=-1, keepdims=True)
    chroma = images - luma
    inverted = sometimes(jnp.floor(uniform(0, 2)), 0)
    angle = sometimes(uniform(-jnp.pi, jnp.pi), 0)
    saturation = sometimes(jnp.exp2(normal(1.0)), 1)
    # The cross product of the grey axis, of length 1, and the colour turns it by a right angle.
    across = (jnp.roll(chroma, 1, axis=-1) - jnp.roll(chroma, -1, axis=-1)) / 3**0.5
    chroma = each(jnp.cos(angle)) * chroma + each(jnp.sin(angle)) * across
    return each(1 - 2 * inverted) * luma + each(saturation) * chroma


def _half_cut_out(images: Images, key: PRNGKeyArray, probability: Any) -> Images:
    # Unlike DiffAugment's, the square's centre is any place, not a pixel.
    count, height, width, _ = images.shape
    uniform, _, sometimes = _draws(key, count, probability)
    side = sometimes(jnp.full(count, 0.5), 0)
    kept = False
    for axis, size in ((2, width), (1, height)):
        distance = jnp.abs((jnp.arange(size) + 0.5) / size - uniform(0, 1)[:, None])
        kept = kept | jnp.expand_dims(distance >= side[:, None] / 2, 3 - axis)
    return images * kept[..., None]


def _draws(key: PRNGKeyArray, count: int, probability: Any) -> tuple[Callable[..., Array], ...]:
    """Three functions that draw anew at each call, for each image of a batch."""
    keys = (jax.random.fold_in(key, number) for number in itertools.count())

    def uniform(low, high):
        return jax.random.uniform(next(keys), (count,), minval=low, maxval=high)

    def normal(deviation):
        return deviation * jax.random.normal(next(keys), (count,))

    def sometimes(value, neutral, probability=probability):
        return jnp.where(uniform(0, 1) < probability, value, neutral)

    return uniform, normal, sometimes
