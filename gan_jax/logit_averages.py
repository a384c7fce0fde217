"""Moving averages of the discriminator's logits, for penalties and augmentations that adapt."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

DECAY = 0.99  # of the averages (Tseng et al., 2021, for the logits)


class Statistics(NamedTuple):
    """Exponential moving averages over the steps, each float32 [].

    Attributes:
        logit_real: average of the mean logit of real examples.
        logit_fake: average of the mean logit of fakes.
        sign_real: average of the mean sign of the logits of real examples, in [-1, 1]; near 1 where
            the discriminator overfits (Karras et al., 2020a, equation 1: r_t).
        augmentation: probability with which `augmentation.Adaptive` augments, in [0, 1].
    """

    logit_real: Float[Array, ""]
    logit_fake: Float[Array, ""]
    sign_real: Float[Array, ""]
    augmentation: Float[Array, ""]


def start() -> Statistics:
    """Returns the averages before the first step, all 0."""
    return Statistics(*(jnp.zeros((), jnp.float32) for _ in Statistics._fields))


def warmed_up(decay: float, step: Int[Array, ""]) -> Float[Array, ""]:
    """Returns the decay of a moving average at a step, which counts from 0.

    It grows from 0.1 as (1 + step) / (10 + step) until it reaches `decay`, so that what the average
    starts from is soon forgotten; that of `tf.train.ExponentialMovingAverage` with `num_updates`.
    """
    return jnp.minimum(decay, (1 + step) / (10 + step))


def moved(
    statistics: Statistics,
    step: Int[Array, ""],
    real_logits: Float[Array, " batch"],
    fake_logits: Float[Array, " batch"],
) -> Statistics:
    """Moves the averages of the logits towards those of one step; `augmentation` is kept."""
    decay = warmed_up(DECAY, step)

    def towards(old, new):
        return (new + decay * (old - new)).astype(jnp.float32)

    return statistics._replace(
        logit_real=towards(statistics.logit_real, real_logits.mean()),
        logit_fake=towards(statistics.logit_fake, fake_logits.mean()),
        sign_real=towards(statistics.sign_real, jnp.sign(real_logits).mean()),
    )
