"""What happens when a step does not give finite numbers: it is skipped, and in the end undone."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from gan_jax.checks import check_bounds, check_types
from gan_jax.errors import RequestError

PARTS = ("generator", "discriminator", "ema")  # of a state, that a snapshot holds


@dataclasses.dataclass(frozen=True)
class Guard:
    """Skips steps that are not finite; after many in a row goes back to a snapshot.

    A step is skipped if a loss is not finite, or any parameter, statistic or optimizer state would
    not be after it: both players stay as they were, and the next step draws other latents. After
    `after` skipped steps in a row both players and the average are again what they were at the
    newest snapshot, with random draws of their own from there on and smaller learning rates.

    The count of steps goes on; optimizers come back with their own counts, so that schedules of
    learning rates are behind by the steps that were undone. The snapshot is a part of the state: it
    doubles memory and checkpoints, and makes a return independent of when a run is saved or
    stopped. The metrics `skipped` and `returns` count.

    Attributes:
        after: steps in a row, at least 1.
        every: steps from one snapshot to the next.
        learning_rate: factor of both players' learning rates at each return, above 0 and at most 1.
    """

    after: int = 10
    every: int = 500
    learning_rate: float = 0.5

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "after every", at_least=1)
        if not 0 < self.learning_rate <= 1:
            wrong = f"Guard.learning_rate = {self.learning_rate!r}"
            raise RequestError(f"{wrong}: must be above 0 and at most 1")

    def rate(self, statistics: Any) -> Float[Array, ""]:
        """The factor of the learning rates so far."""
        return self.learning_rate**statistics.returns

    def guarded(self, old: Any, new: Any, metrics: Any) -> Any:
        """Returns the `gan.GANState` that follows `old`, where an update has proposed `new`."""
        counts = old.statistics
        finite = all_finite((*snapshot(new), new.statistics, metrics))
        in_a_row = jnp.where(finite, 0, counts.skipped_in_a_row + 1)
        back = in_a_row >= self.after
        kept = _where(finite, snapshot(new), snapshot(old))
        due = finite & (new.step % self.every == 0)
        statistics = _where(finite, new.statistics, counts)._replace(
            skipped=counts.skipped + ~finite,
            skipped_in_a_row=jnp.where(back, 0, in_a_row),
            returns=counts.returns + back,
        )
        other_key = jax.random.fold_in(old.key, counts.returns + 1)
        return new.replace(
            **dict(zip(PARTS, _where(back, old.snapshot, kept), strict=True)),
            key=jnp.where(back, other_key, old.key),
            statistics=statistics,
            snapshot=_where(due, kept, old.snapshot),
        )


def snapshot(state: Any) -> tuple[Any, ...]:
    """What of a `gan.GANState` comes back."""
    return tuple(getattr(state, part) for part in PARTS)


def all_finite(tree: Any) -> Bool[Array, ""]:
    """Whether there is no NaN and no infinity among the numbers of a tree."""
    return jnp.array([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()


def _where(condition: Bool[Array, ""], first: Any, second: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), first, second)
