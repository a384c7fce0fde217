"""What training remembers of the discriminator's opinion, for the remedies that adapt to it."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

DECAY = 0.99  # of the averages (Tseng et al., 2021, for the logits)


class Statistics(NamedTuple):
    """Moving averages over the steps, float32 [].

    Attributes:
        logit_real: of the mean logit of real examples.
        logit_fake: of the mean logit of fakes.
        sign_real: of the mean sign of the logits of real examples: near 1 where the discriminator
            has learnt them by heart (Karras et al., 2020a, equation 1: r_t).
        augmentation: the probability with which `augmentation.Adaptive` augments, from 0 to 1.
    """

    logit_real: Float[Array, ""]
    logit_fake: Float[Array, ""]
    sign_real: Float[Array, ""]
    augmentation: Float[Array, ""]


def start() -> Statistics:
    """Before the first step: nothing is known, and nothing is augmented."""
    return Statistics(*(jnp.zeros((), jnp.float32) for _ in Statistics._fields))


def moved(
    statistics: Statistics,
    step: Int[Array, ""],
    real_logits: Float[Array, " batch"],
    fake_logits: Float[Array, " batch"],
) -> Statistics:
    """Moves the averages towards what the discriminator says at this step.

    The decay grows from 0.1 as (1 + step) / (10 + step), so that the start is soon forgotten.
    """
    decay = jnp.minimum(DECAY, (1 + step) / (10 + step))

    def towards(old, new):
        return (new + decay * (old - new)).astype(jnp.float32)

    return statistics._replace(
        logit_real=towards(statistics.logit_real, real_logits.mean()),
        logit_fake=towards(statistics.logit_fake, fake_logits.mean()),
        sign_real=towards(statistics.sign_real, jnp.sign(real_logits).mean()),
    )
