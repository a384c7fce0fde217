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


@dataclasses.dataclass(frozen=True)
class R1:
    """Half of gamma times the squared gradient norm of the logit at the real examples.

    Mescheder, Geiger, Nowozin (2018), equation 9. It makes the training of an unregularised GAN
    converge locally where the data lie on a manifold of lower dimension.

    Attributes:
        gamma: the penalty's weight, at least 0.
    """

    gamma: float = dataclasses.field(default=10.0, metadata=TRACED)

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "gamma", at_least=0)

    def __call__(
        self,
        logits_fn: Callable[[Float[Array, "batch ..."]], Float[Array, " batch"]],
        real: Float[Array, "batch ..."],
        fake: Float[Array, "batch ..."],
        key: PRNGKeyArray,
    ) -> Float[Array, " batch"]:
        """Returns gamma / 2 * |d logit / d x|^2 for each real example x."""
        # Each logit depends on its own example only, so the gradient of the sum holds them all.
        # (BatchNorm in a discriminator breaks that in training mode.)
        gradient = jax.grad(lambda sample: logits_fn(sample).sum())(real)
        return 0.5 * self.gamma * jnp.square(gradient).sum(axis=tuple(range(1, real.ndim)))
