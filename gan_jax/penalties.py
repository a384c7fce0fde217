"""Penalties: functions of a discriminator closure, added to the discriminator's loss.

A penalty is a frozen dataclass that is called as `penalty(logits_fn, real, fake, key)` and returns
`[batch]`; `logits_fn` maps samples to logits with the discriminator's parameters and the condition
closed over, in training mode with the dropout masks of the real pass. Samples are of any rank.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from gan_jax.checks import check_bounds, check_types
from gan_jax.traced import TRACED

SMALLEST_SQUARE = 1e-12  # of a slope, in float32

Sample = Float[Array, "batch ..."]
Each = Float[Array, " batch"]  # a value for each sample
LogitsOf = Callable[[Sample], Each]


@dataclasses.dataclass(frozen=True)
class _OfGradients:
    """What penalties on the logit's gradient have in common.

    Attributes:
        gamma: the penalty's weight, at least 0.
        needs_single_examples: the logit of a sample must not depend on the others of its batch, as
            BatchNorm would have it.
    """

    gamma: float = dataclasses.field(default=10.0, metadata=TRACED)

    needs_single_examples = True

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "gamma", at_least=0)


@dataclasses.dataclass(frozen=True)
class R1(_OfGradients):
    """Half of gamma times the squared gradient norm of the logit at the real examples.

    Mescheder, Geiger, Nowozin (2018), equation 9. It makes the training of an unregularised GAN
    converge locally where the data lie on a manifold of lower dimension.

    Attributes:
        gamma: the penalty's weight, at least 0.
    """

    def __call__(self, logits_fn: LogitsOf, real: Sample, fake: Sample, key: PRNGKeyArray) -> Each:
        """Returns gamma / 2 * |d logit / d x|^2 for each real example x."""
        return 0.5 * self.gamma * _squared_slope(logits_fn, real)


@dataclasses.dataclass(frozen=True)
class R2(_OfGradients):
    """The same as R1 at the fakes.

    Mescheder, Geiger, Nowozin (2018), equation 10. With R1 and a relativistic loss training
    converges locally (Huang et al., 2024).

    Attributes:
        gamma: the penalty's weight, at least 0.
    """

    def __call__(self, logits_fn: LogitsOf, real: Sample, fake: Sample, key: PRNGKeyArray) -> Each:
        """Returns gamma / 2 * |d logit / d x|^2 for each fake x."""
        return 0.5 * self.gamma * _squared_slope(logits_fn, fake)


@dataclasses.dataclass(frozen=True)
class GradientPenalty(_OfGradients):
    """Holds the slope of a critic to 1 between real examples and fakes: WGAN-GP.

    Gulrajani et al. (2017), equation 3: gamma is their lambda. Each point lies at a random place on
    the line from a real example to a fake.

    Attributes:
        gamma: the penalty's weight, at least 0.
    """

    def __call__(self, logits_fn: LogitsOf, real: Sample, fake: Sample, key: PRNGKeyArray) -> Each:
        """Returns gamma * (|d logit / d x| - 1)^2 for each point x between."""
        share = _one_for_each(real, key)
        return self.gamma * _away_from_one(logits_fn, real + share * (fake - real))


@dataclasses.dataclass(frozen=True)
class Dragan(_OfGradients):
    """Holds the slope of the logit to 1 around the real examples: DRAGAN.

    Kodali et al. (2017), with the noise of their code: each real example moves by a
    random share of a uniform disturbance that is half as large as the spread of the batch.

    Attributes:
        gamma: the penalty's weight, lambda, at least 0.
    """

    def __call__(self, logits_fn: LogitsOf, real: Sample, fake: Sample, key: PRNGKeyArray) -> Each:
        """Returns gamma * (|d logit / d x| - 1)^2 for each disturbed real example x."""
        noise_key, share_key = jax.random.split(key)
        noise = 0.5 * real.std() * jax.random.uniform(noise_key, real.shape, real.dtype)
        return self.gamma * _away_from_one(logits_fn, real + _one_for_each(real, share_key) * noise)


def _squared_slope(logits_fn: LogitsOf, sample: Sample) -> Each:
    # Each logit depends on its own example only, so the gradient of the sum holds them all.
    gradient = jax.grad(lambda sample: logits_fn(sample).sum())(sample)
    return jnp.square(gradient).sum(axis=tuple(range(1, sample.ndim)))


def _away_from_one(logits_fn: LogitsOf, sample: Sample) -> Each:
    # The root has no derivative at a slope of zero, where a critic with ReLUs may well be.
    slope = jnp.sqrt(jnp.maximum(_squared_slope(logits_fn, sample), SMALLEST_SQUARE))
    return jnp.square(slope - 1)


def _one_for_each(real: Sample, key: PRNGKeyArray) -> Sample:
    """A number from 0 to 1 for each example, to multiply all of it with."""
    return jax.random.uniform(key, (len(real), *[1] * (real.ndim - 1)), real.dtype)
