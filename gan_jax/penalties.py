"""Penalties that are added to the discriminator's loss, as functions of its logits.

A penalty is a function, or a frozen dataclass with a `__call__` method, with the signature
`penalty(logits_fn, real, fake, key)`. It returns one value per example, of shape [batch].
`logits_fn` maps samples [batch, ...] of any rank to logits [batch]; it closes over the
discriminator's parameters and the condition, and runs in training mode with the same dropout masks
and augmentations as the pass over the real examples.

A penalty with the attribute `needs_state = True` gets the `gan.GANState` as a fifth argument, whose
`step` and `statistics` tell how far training has come. One with `needs_single_examples = True` is
refused for discriminators in which a logit depends on the other examples of its batch.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from gan_jax.common.errors import RequestError
from gan_jax.common.schedules import check_schedule
from gan_jax.common.traced_fields import TRACED
from gan_jax.common.validation import check_bounds, check_object, check_types

SMALLEST_SQUARE = 1e-12  # of a gradient norm, in float32

Sample = Float[Array, "batch ..."]
Each = Float[Array, " batch"]  # one value per example
LogitsOf = Callable[[Sample], Each]


@dataclasses.dataclass(frozen=True)
class _OfGradients:
    """Base of the penalties on the gradient of a logit with respect to its sample.

    Attributes:
        gamma: the penalty's weight, at least 0.
        needs_single_examples: the logit of a sample must not depend on the rest of its batch, as it
            does with BatchNorm.
    """

    gamma: float = dataclasses.field(default=10.0, metadata=TRACED)

    needs_single_examples = True

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "gamma", at_least=0)


@dataclasses.dataclass(frozen=True)
class R1(_OfGradients):
    """Penalises the squared gradient norm of the logit at the real examples.

    Mescheder, Geiger, Nowozin (2018), equation 9. With it, training converges locally even where
    the data lie on a manifold of lower dimension, as that of an unregularised GAN does not.

    Attributes:
        gamma: the penalty's weight, at least 0.
    """

    def __call__(self, logits_fn: LogitsOf, real: Sample, fake: Sample, key: PRNGKeyArray) -> Each:
        """Returns gamma / 2 * |d logit / d x|^2 for each real example x."""
        return 0.5 * self.gamma * _squared_slope(logits_fn, real)


@dataclasses.dataclass(frozen=True)
class R2(_OfGradients):
    """Penalises the squared gradient norm of the logit at the fakes.

    Mescheder, Geiger, Nowozin (2018), equation 10. Together with R1 and a relativistic loss,
    training converges locally (Huang et al., 2024).

    Attributes:
        gamma: the penalty's weight, at least 0.
    """

    def __call__(self, logits_fn: LogitsOf, real: Sample, fake: Sample, key: PRNGKeyArray) -> Each:
        """Returns gamma / 2 * |d logit / d x|^2 for each fake x."""
        return 0.5 * self.gamma * _squared_slope(logits_fn, fake)


@dataclasses.dataclass(frozen=True)
class GradientPenalty(_OfGradients):
    """Keeps the critic's gradient norm near 1 between real examples and fakes: WGAN-GP.

    Gulrajani et al. (2017), equation 3. The gradient is taken at one point per pair, drawn
    uniformly from the line between a real example and a fake.

    Attributes:
        gamma: the penalty's weight, their lambda, at least 0.
    """

    def __call__(self, logits_fn: LogitsOf, real: Sample, fake: Sample, key: PRNGKeyArray) -> Each:
        """Returns gamma * (|d logit / d x| - 1)^2 for each interpolated point x."""
        position = _uniform_per_example(real, key)
        return self.gamma * _squared_distance_from_one(logits_fn, real + position * (fake - real))


@dataclasses.dataclass(frozen=True)
class Dragan(_OfGradients):
    """Keeps the gradient norm of the logit near 1 around the real examples: DRAGAN.

    Kodali et al. (2017), with the noise of their code: to each real example is added uniform noise
    in [0, s / 2), s being the standard deviation of the batch, times a random factor in [0, 1).

    Attributes:
        gamma: the penalty's weight, their lambda, at least 0.
    """

    def __call__(self, logits_fn: LogitsOf, real: Sample, fake: Sample, key: PRNGKeyArray) -> Each:
        """Returns gamma * (|d logit / d x| - 1)^2 for each perturbed real example x."""
        noise_key, factor_key = jax.random.split(key)
        noise = 0.5 * real.std() * jax.random.uniform(noise_key, real.shape, real.dtype)
        perturbed = real + _uniform_per_example(real, factor_key) * noise
        return self.gamma * _squared_distance_from_one(logits_fn, perturbed)


@dataclasses.dataclass(frozen=True)
class Consistency:
    """Balanced consistency regularisation (bCR): augmenting a sample should not change its logit.

    Zhao, Singh, et al. (2021), section 3.1. With `fake=0.0` only real examples count: consistency
    regularisation, CR (Zhang et al., 2020, equation 3). If the experiment itself has augmentations,
    they are applied on top, in the same way to both samples.

    Attributes:
        augmentation: the augmentation T, for example `augmentation.DiffAugment()`; see
            `gan_jax.augmentation`. `augmentation.Adaptive` is refused.
        real: weight of the term of the real examples, lambda_real, at least 0.
        fake: weight of the term of the fakes, lambda_fake, at least 0.
    """

    augmentation: Any
    real: float = dataclasses.field(default=10.0, metadata=TRACED)
    fake: float = dataclasses.field(default=10.0, metadata=TRACED)

    needs_state = True

    def __post_init__(self) -> None:
        check_types(self)
        check_object("Consistency", "augmentation", self.augmentation, "__call__")
        check_bounds(self, "real fake", at_least=0)
        if hasattr(self.augmentation, "next_probability"):
            raise RequestError(
                f"Consistency.augmentation = {self.augmentation}: its probability adapts only as "
                "one of the experiment's augmentations; give the augmentation that it wraps"
            )

    def __call__(
        self, logits_fn: LogitsOf, real: Sample, fake: Sample, key: PRNGKeyArray, state: Any
    ) -> Each:
        """Returns lambda_real (D(x) - D(T(x)))^2 + lambda_fake (D(G(z)) - D(T(G(z))))^2."""

        def change(weight, sample, key):
            if isinstance(weight, int | float) and weight == 0:  # a traced weight is never 0
                return 0.0
            augmented = self.augmentation(sample, key, state)
            return weight * jnp.square(logits_fn(sample) - logits_fn(augmented))

        real_key, fake_key = jax.random.split(key)
        nothing = jnp.zeros(len(real))
        return nothing + change(self.real, real, real_key) + change(self.fake, fake, fake_key)


@dataclasses.dataclass(frozen=True)
class LeCam:
    """Keeps logits near the average logit of the other kind; meant for small data sets.

    Tseng et al. (2021), equation 6, with the moving averages of `gan_jax.logit_averages` as
    anchors. With the Wasserstein loss it is a weighted LeCam divergence. (Published code passes
    both differences through a ReLU first; the equation does not.)

    Attributes:
        gamma: the penalty's weight, their lambda, at least 0.
    """

    gamma: float = dataclasses.field(default=0.3, metadata=TRACED)

    needs_state = True

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "gamma", at_least=0)

    def __call__(
        self, logits_fn: LogitsOf, real: Sample, fake: Sample, key: PRNGKeyArray, state: Any
    ) -> Each:
        """Returns gamma * ((D(x) - mean D(G(z)))^2 + (D(G(z)) - mean D(x))^2) for each pair."""
        anchors = state.statistics
        to_fake = jnp.square(logits_fn(real) - anchors.logit_fake)
        return self.gamma * (to_fake + jnp.square(logits_fn(fake) - anchors.logit_real))


@dataclasses.dataclass(frozen=True)
class _Wrapped:
    """Base of the penalties that wrap another one and vary its weight over the steps."""

    penalty: Any

    needs_state = True

    @property
    def needs_single_examples(self) -> bool:
        """Whether the wrapped penalty needs it."""
        return getattr(self.penalty, "needs_single_examples", False)

    def _value(self, *arguments: Any) -> Each:
        *without_state, _ = arguments
        needs_state = getattr(self.penalty, "needs_state", False)
        return self.penalty(*(arguments if needs_state else without_state))


@dataclasses.dataclass(frozen=True)
class Lazy(_Wrapped):
    """Lazy regularisation: applies a penalty only every n-th step, with n times the weight.

    Karras et al. (2020b), section 3.1. The mean over the steps stays the same. In the paper the
    penalty has optimizer steps of its own, with Adam's decays adapted; here it is added to the loss
    of an ordinary step.

    Attributes:
        penalty: the wrapped penalty, for example `R1(1.0)`.
        every: n, at least 1. The penalty applies at the steps n, 2n, ..., so the metrics of these
            steps show it and those of others show 0. At other steps it is not computed, unless
            seeds are batched (`--strategy vmap`).
    """

    every: int = 16

    def __post_init__(self) -> None:
        check_types(self)
        check_object("Lazy", "penalty", self.penalty, "__call__")
        check_bounds(self, "every", at_least=1)

    def __call__(
        self, logits_fn: LogitsOf, real: Sample, fake: Sample, key: PRNGKeyArray, state: Any
    ) -> Each:
        """Returns the penalty times `every` at the steps at which it applies, else 0."""

        def due():
            return self.every * self._value(logits_fn, real, fake, key, state)

        nothing = jax.eval_shape(due)
        return jax.lax.cond(
            (state.step + 1) % self.every == 0, due, lambda: jnp.zeros(nothing.shape, nothing.dtype)
        )


@dataclasses.dataclass(frozen=True)
class Scheduled(_Wrapped):
    """Multiplies a penalty by a schedule, so that its weight changes over training.

    Attributes:
        penalty: the wrapped penalty, which keeps its own weight as well.
        schedule: an `optimizers.Schedule`, or `optimizers.from_optax` of an optax schedule; its
            value at the current generator step is the factor.
    """

    schedule: Any

    def __post_init__(self) -> None:
        check_types(self)
        check_object("Scheduled", "penalty", self.penalty, "__call__")
        right = 'Schedule("linear", 10_000), for example'
        check_schedule("Scheduled", "schedule", self.schedule, right)

    def __call__(
        self, logits_fn: LogitsOf, real: Sample, fake: Sample, key: PRNGKeyArray, state: Any
    ) -> Each:
        """Returns the penalty times the schedule's value at this step."""
        factor = self.schedule.build()(state.step)
        return factor * self._value(logits_fn, real, fake, key, state)


def _squared_slope(logits_fn: LogitsOf, sample: Sample) -> Each:
    # Each logit depends on its own example only, so one gradient of the sum gives every example's.
    gradient = jax.grad(lambda sample: logits_fn(sample).sum())(sample)
    return jnp.square(gradient).sum(axis=tuple(range(1, sample.ndim)))


def _squared_distance_from_one(logits_fn: LogitsOf, sample: Sample) -> Each:
    # The square root has no derivative at 0, where the slope of a critic with ReLUs may well be.
    slope = jnp.sqrt(jnp.maximum(_squared_slope(logits_fn, sample), SMALLEST_SQUARE))
    return jnp.square(slope - 1)


def _uniform_per_example(real: Sample, key: PRNGKeyArray) -> Sample:
    """One number in [0, 1) per example, shaped to broadcast against the examples."""
    return jax.random.uniform(key, (len(real), *[1] * (real.ndim - 1)), real.dtype)
