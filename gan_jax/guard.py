"""What happens when a step does not give finite numbers: it is skipped, and in the end undone."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from gan_jax.checks import check_bounds, check_types


@dataclasses.dataclass(frozen=True)
class Guard:
    """Skips steps that are not finite; after many in a row goes back to a checkpoint.

    A step is skipped if a loss is not finite, or any parameter, statistic or optimizer state would
    not be after it: both players stay as they were, and the next step draws other latents. Where
    `after` steps in a row are skipped, at the next due checkpoint the players of the newest one
    from before come back, with random draws of their own from there on and smaller learning rates.
    The count of steps goes on. The metric `skipped` counts the skipped steps.

    Attributes:
        after: steps in a row, at least 1.
        learning_rate: factor of both players' learning rates at each return, above 0 and at most 1.
    """

    after: int = 10
    learning_rate: float = 0.5

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "after", at_least=1)
        check_bounds(self, "learning_rate", at_least=1e-6, below=1 + 1e-6)

    def rate(self, statistics: Any) -> Float[Array, ""]:
        """The factor of the learning rates so far."""
        return self.learning_rate**statistics.returns


def kept_finite(old: Any, new: Any, metrics: Any) -> Any:
    """The state after a step: `new` if it and the metrics are finite, else `old` one step later."""
    finite = all_finite((new.generator, new.discriminator, new.ema, new.statistics, metrics))
    held = ("generator", "discriminator", "ema", "statistics")

    def chosen(name):
        return jax.tree.map(
            lambda a, b: jnp.where(finite, a, b), getattr(new, name), getattr(old, name)
        )

    state = new.replace(**{name: chosen(name) for name in held})
    counts = old.statistics
    in_a_row = jnp.where(finite, 0, counts.skipped_in_a_row + 1)
    statistics = state.statistics._replace(
        skipped=counts.skipped + ~finite, skipped_in_a_row=in_a_row
    )
    return state.replace(statistics=statistics)


def returned(current: Any, good: Any) -> Any:
    """The state `good` of an earlier step in the place of `current`, with draws of its own."""
    counts = current.statistics
    return good.replace(
        step=current.step,
        key=jax.random.fold_in(good.key, counts.returns + 1),
        statistics=good.statistics._replace(
            skipped=counts.skipped,
            skipped_in_a_row=jnp.zeros_like(counts.skipped_in_a_row),
            returns=counts.returns + 1,
        ),
    )


def all_finite(tree: Any) -> Bool[Array, ""]:
    """Whether there is no NaN and no infinity among the numbers of a tree."""
    return jnp.array([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()
