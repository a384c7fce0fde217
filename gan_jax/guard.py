"""Guarding training against steps that are not finite: skipping them, and rolling back."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types

PARTS = ("generator", "discriminator", "ema")  # the fields of a GANState that a snapshot holds


class Watch(NamedTuple):
    """The guard's part of the train state.

    Attributes:
        skipped: number of skipped steps, int32 [].
        in_a_row: number of skipped steps since the last accepted one, int32 [].
        returns: number of rollbacks to a snapshot, int32 []; checkpoints have it by this name.
        snapshot: what the next rollback restores: both players and the moving average.
    """

    skipped: Int[Array, ""]
    in_a_row: Int[Array, ""]
    returns: Int[Array, ""]
    snapshot: PyTree


@dataclasses.dataclass(frozen=True)
class Guard:
    """Skips steps that are not finite, and after many in a row rolls back to a snapshot.

    A step is skipped if a metric such as a loss is not finite, or if any parameter, statistic or
    optimizer state would not be finite after it: both players stay as they were, and the next step
    draws other latents. After `after` skipped steps in a row, both players and the moving average
    are restored from the newest snapshot; training then goes on with fresh random draws and smaller
    learning rates. A state becomes a snapshot only after a finite step from it, since a finite
    state may be about to diverge.

    A rollback does not reset the step count, but restores the optimizers' own counts, so that
    learning-rate schedules lag by the steps that were undone. The snapshot is part of the train
    state: it doubles memory and the size of checkpoints, and makes a rollback independent of when a
    run is saved or stopped. The metrics `skipped` and `rollbacks` count both.

    Attributes:
        after: skipped steps in a row before a rollback, at least 1.
        every: number of steps between snapshots, at least 1.
        learning_rate: factor by which each rollback multiplies both players' learning rates, in
            (0, 1].
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

    def start(self, state: Any) -> Watch:
        """Returns the guard's state at the start of training, with `state` as its snapshot."""
        counts = (jnp.zeros((), jnp.int32) for _ in range(3))
        return Watch(*counts, snapshot(state))

    def rate(self, watch: Watch) -> Float[Array, ""]:
        """Returns the factor of the learning rates after the rollbacks so far, in (0, 1]."""
        return self.learning_rate**watch.returns

    def checked(self, old: Any, new: Any, metrics: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Accepts or skips a step, and rolls back where that is due.

        Args:
            old: the `gan.GANState` before the step.
            new: the state that the update proposes.
            metrics: the metrics of the update.

        Returns:
            The state to continue from, and the metrics with `skipped` and `rollbacks` added.
        """
        watch = old.guard
        finite = all_finite((*_parts(new), new.statistics, metrics))
        in_a_row = jnp.where(finite, 0, watch.in_a_row + 1)
        rolls_back = in_a_row >= self.after
        kept = _where(finite, _parts(new), _parts(old))
        due = finite & (old.step % self.every == 0)
        watched = Watch(
            skipped=watch.skipped + ~finite,
            in_a_row=jnp.where(rolls_back, 0, in_a_row),
            returns=watch.returns + rolls_back,
            snapshot=_where(due, _parts(old), watch.snapshot),
        )
        state = new.replace(
            **dict(zip(PARTS, _where(rolls_back, watch.snapshot, kept), strict=True)),
            key=jnp.where(rolls_back, jax.random.fold_in(old.key, watched.returns), old.key),
            statistics=_where(finite, new.statistics, old.statistics),
            guard=watched,
        )
        return state, metrics | {"skipped": watched.skipped, "rollbacks": watched.returns}


def all_finite(tree: Any) -> Bool[Array, ""]:
    """Whether all numbers in a tree are finite, neither NaN nor infinite, as a bool []."""
    return jnp.array([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()


def _where(condition: Bool[Array, ""], first: Any, second: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), first, second)


def snapshot(state: Any) -> tuple[Any, ...]:
    """Returns copies of the parts that a rollback restores; training donates the originals."""
    return jax.tree.map(jnp.copy, _parts(state))


def _parts(state: Any) -> tuple[Any, ...]:
    return tuple(getattr(state, part) for part in PARTS)
