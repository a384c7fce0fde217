"""Penalties: functions of a discriminator closure, added to the discriminator's loss.

A penalty is a function, or a frozen dataclass that is called like one,
`penalty(logits_fn, real, fake, key)`, and returns `[batch]`; `logits_fn` maps samples to logits
with the discriminator's parameters and the condition closed over, in training mode with the dropout
masks and augmentations of the real pass. Samples are of any rank. A penalty with
`needs_state = True` is called with the `gan.GANState` besides, whose `step` and `statistics` tell
how far training is.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from gan_jax.common.errors import RequestError
from gan_jax.common.traced_fields import TRACED
from gan_jax.common.validation import check_bounds, check_object, check_schedule, check_types

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


@dataclasses.dataclass(frozen=True)
class Consistency:
    """The logit of a sample should not change with augmentation: balanced consistency, bCR.

    Zhao, Singh, et al. (2021), section 3.1; with `fake=0.0` that of real examples only, CR (Zhang
    et al., 2020, equation 3). Where the experiment augments, both logits are those of samples that
    are augmented besides, in the same way.

    Attributes:
        augmentation: see `gan_jax.augmentation`; `augmentation.DiffAugment()` for example.
        real: weight of the term of real examples, lambda_real, at least 0.
        fake: weight of the term of fakes, lambda_fake, at least 0.
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
                f"Consistency.augmentation = {self.augmentation}: its probability follows the "
                "discriminator where it is one of the experiment's augmentations only"
            )

    def __call__(
        self, logits_fn: LogitsOf, real: Sample, fake: Sample, key: PRNGKeyArray, state: Any
    ) -> Each:
        """Returns lambda_real (D(x) - D(T(x)))^2 + lambda_fake (D(G(z)) - D(T(G(z))))^2."""

        def change(weight, sample, key):
            if (
                isinstance(weight, int | float) and weight == 0
            ):  # numbers that are traced are never 0
                return 0.0
            augmented = self.augmentation(sample, key, state)
            return weight * jnp.square(logits_fn(sample) - logits_fn(augmented))

        real_key, fake_key = jax.random.split(key)
        nothing = jnp.zeros(len(real))
        return nothing + change(self.real, real, real_key) + change(self.fake, fake, fake_key)


@dataclasses.dataclass(frozen=True)
class LeCam:
    """Holds logits near to what the other kind had on average: for small data sets.

    Tseng et al. (2021), equation 6, with the averages of `gan_jax.logit_averages` as anchors. With
    the Wasserstein loss it is a weighted LeCam divergence. (Published code passes both
    differences through a ReLU first, the equation does not.)

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
        """Returns gamma * ((D(x) - mean D(G(z)))^2 + (D(G(z)) - mean D(x))^2) of each pair."""
        anchors = state.statistics
        to_fake = jnp.square(logits_fn(real) - anchors.logit_fake)
        return self.gamma * (to_fake + jnp.square(logits_fn(fake) - anchors.logit_real))


@dataclasses.dataclass(frozen=True)
class _Changed:
    """What penalties that change another one over the steps have in common."""

    penalty: Any

    needs_state = True

    @property
    def needs_single_examples(self) -> bool:
        """What the penalty itself needs."""
        return getattr(self.penalty, "needs_single_examples", False)

    def _value(self, *arguments: Any) -> Each:
        *without_state, _ = arguments
        needs_state = getattr(self.penalty, "needs_state", False)
        return self.penalty(*(arguments if needs_state else without_state))


@dataclasses.dataclass(frozen=True)
class Lazy(_Changed):
    """A penalty at every n-th step only, n times as strong: its mean over the steps stays the same.

    Karras et al. (2020b), section 3.1: lazy regularisation. They take steps of their own for it
    and shorten Adam's memory to match; here it joins the loss, and every step counts once.

    Attributes:
        penalty: which one, `R1(1.0)` for example.
        every: from one step with it to the next; the step with this number is the first, so that a
            line of metrics at a multiple of it shows the penalty, and other lines 0. In other steps
            it is not computed, unless seeds are batched (`--strategy vmap`).
    """

    every: int = 16

    def __post_init__(self) -> None:
        check_types(self)
        check_object("Lazy", "penalty", self.penalty, "__call__")
        check_bounds(self, "every", at_least=1)

    def __call__(
        self, logits_fn: LogitsOf, real: Sample, fake: Sample, key: PRNGKeyArray, state: Any
    ) -> Each:
        """Returns the penalty times `every`, or 0."""

        def due():
            return self.every * self._value(logits_fn, real, fake, key, state)

        nothing = jax.eval_shape(due)
        return jax.lax.cond(
            (state.step + 1) % self.every == 0, due, lambda: jnp.zeros(nothing.shape, nothing.dtype)
        )


@dataclasses.dataclass(frozen=True)
class Scheduled(_Changed):
    """A penalty whose weight changes as training goes on.

    Attributes:
        penalty: which one; its own weight is multiplied by that of the schedule.
        schedule: `optimizers.Schedule` or `from_optax` of a schedule: its value at each step of the
            generator is the factor.
    """

    schedule: Any

    def __post_init__(self) -> None:
        check_types(self)
        check_object("Scheduled", "penalty", self.penalty, "__call__")
        right = 'Schedule("linear", 10_000), for example'
        check_object("Scheduled", "schedule", self.schedule, "build", right)
        check_schedule("Scheduled", self.schedule, right)

    def __call__(
        self, logits_fn: LogitsOf, real: Sample, fake: Sample, key: PRNGKeyArray, state: Any
    ) -> Each:
        """Returns the penalty times the schedule's value at this step."""
        factor = self.schedule.build()(state.step)
        return factor * self._value(logits_fn, real, fake, key, state)


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
