"""What happens when a step does not give finite numbers: it is skipped, and in the end undone."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types

PARTS = ("generator", "discriminator", "ema")  # of a state, that a snapshot holds


class Watch(NamedTuple):
    """What a guard remembers, a part of the train state.

    Attributes:
        skipped: steps that were skipped, int32 [].
        in_a_row: those of them since the last one that was not, int32 [].
        returns: how often training has gone back to a snapshot, int32 [].
        snapshot: where it goes back to next: both players and the average.
    """

    skipped: Int[Array, ""]
    in_a_row: Int[Array, ""]
    returns: Int[Array, ""]
    snapshot: PyTree


@dataclasses.dataclass(frozen=True)
class Guard:
    """Skips steps that are not finite; after many in a row goes back to a snapshot.

    A step is skipped if a loss is not finite, or any parameter, statistic or optimizer state would
    not be after it: both players stay as they were, and the next step draws other latents. After
    `after` skipped steps in a row both players and the average are again what they were at the
    newest snapshot, with random draws of their own from there on and smaller learning rates. A
    state becomes a snapshot only once a finite step has been made from it: one that is finite
    itself may be about to fail.

    The count of steps goes on; optimizers come back with their own counts, so that schedules of
    learning rates are behind by the steps that were undone. The snapshot is a part of the state: it
    doubles memory and checkpoints, and makes a return independent of when a run is saved or
    stopped. The metrics `skipped` and `returns` count.

    Attributes:
        after: steps in a row, at least 1.
        every: steps from one state that becomes a snapshot to the next.
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

    def start(self, state: Any) -> Watch:
        """The first snapshot is the state that training starts from."""
        counts = (jnp.zeros((), jnp.int32) for _ in range(3))
        return Watch(*counts, snapshot(state))

    def rate(self, watch: Watch) -> Float[Array, ""]:
        """The factor of the learning rates so far."""
        return self.learning_rate**watch.returns

    def checked(self, old: Any, new: Any, metrics: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Accepts a step or not.

        Args:
            old: the `gan.GANState` before the step.
            new: the one that the update proposes.
            metrics: of the update.

        Returns:
            The state to go on from, and the metrics with the counts.
        """
        watch = old.guard
        finite = all_finite((*_parts(new), new.statistics, metrics))
        in_a_row = jnp.where(finite, 0, watch.in_a_row + 1)
        back = in_a_row >= self.after
        kept = _where(finite, _parts(new), _parts(old))
        due = finite & (old.step % self.every == 0)
        watched = Watch(
            skipped=watch.skipped + ~finite,
            in_a_row=jnp.where(back, 0, in_a_row),
            returns=watch.returns + back,
            snapshot=_where(due, _parts(old), watch.snapshot),
        )
        state = new.replace(
            **dict(zip(PARTS, _where(back, watch.snapshot, kept), strict=True)),
            key=jnp.where(back, jax.random.fold_in(old.key, watched.returns), old.key),
            statistics=_where(finite, new.statistics, old.statistics),
            guard=watched,
        )
        return state, metrics | {"skipped": watched.skipped, "returns": watched.returns}


def all_finite(tree: Any) -> Bool[Array, ""]:
    """Whether there is no NaN and no infinity among the numbers of a tree."""
    return jnp.array([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()


def _where(condition: Bool[Array, ""], first: Any, second: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), first, second)


def snapshot(state: Any) -> tuple[Any, ...]:
    """Copies of what comes back, as training gives the arrays of a state to the next step."""
    return jax.tree.map(jnp.copy, _parts(state))


def _parts(state: Any) -> tuple[Any, ...]:
    return tuple(getattr(state, part) for part in PARTS)
