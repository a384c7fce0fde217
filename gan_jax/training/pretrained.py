"""Initialises a run with another run's parameters."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from gan_jax import gan, guard, runs
from gan_jax.common.errors import RequestError

PLAYERS = ("generator", "discriminator")


@dataclasses.dataclass(frozen=True)
class InitFrom:
    """Which parameters of which other run a new run starts with.

    Attributes:
        run: the other run's directory; its newest checkpoint is used.
        players: "generator", "discriminator", or both.
        partial: keep random values for parameters whose shape differs, instead of refusing them.
    """

    run: Path
    players: tuple[str, ...] = PLAYERS
    partial: bool = False

    def record(self) -> dict[str, Any]:
        """Returns what `config.json` records of it."""
        return {
            "run": str(self.run.resolve()),
            "players": list(self.players),
            "partial": self.partial,
        }


def load_pretrained(
    start: InitFrom, state: gan.GANState, announce: Callable[[str], None]
) -> gan.GANState:
    """Returns `state` with the matching parameters and variables of another run.

    The generator's come from the moving average if that run has one. Optimizer states stay as they
    are in `state`.

    Args:
        start: what to take.
        state: of the new run, at step 0.
        announce: is told what was taken and what was not.

    Raises:
        RequestError: a parameter has another shape and `start.partial` is False, or none matches.
    """
    source = runs.load(start.run).state
    for player in start.players:
        own = getattr(state, player)
        other = getattr(source, player)
        other_values = (other.params, other.variables)
        if player == "generator" and source.ema is not None:
            other_values = source.ema
        (params, variables), taken, left = _merge(
            (own.params, own.variables), other_values, player, start.partial
        )
        if not taken:
            raise RequestError(f"--init-from {start.run}: no parameter of the {player} matches")
        state = state.replace(**{player: own.replace(params=params, variables=variables)})
        announce(f"{player}: took {len(taken)} arrays from {start.run}")
        if left:
            announce(f"{player}: left at random: {', '.join(left)}")
    if state.ema is not None:
        # Copies, as training donates the state, in which no array may occur twice.
        started = (state.generator.params, state.generator.variables)
        state = state.replace(ema=jax.tree.map(jnp.copy, started))
    if state.guard is not None:
        state = state.replace(guard=state.guard._replace(snapshot=guard.snapshot(state)))
    return state


def _merge(
    own: PyTree, other: PyTree, player: str, partial: bool
) -> tuple[PyTree, list[str], list[str]]:
    others = {_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(other)}
    taken, left = [], []

    def choose(path: Any, leaf: jax.Array) -> jax.Array:
        name = _name(path)
        found = others.get(name)
        if found is not None and found.shape == leaf.shape and found.dtype == leaf.dtype:
            taken.append(name)
            return found
        if found is not None and not partial:
            raise RequestError(
                f"--init-from: {player}.{name} is {list(found.shape)} in that run and "
                f"{list(leaf.shape)} in this one; --init-partial takes only what fits"
            )
        left.append(name)
        return leaf

    return jax.tree_util.tree_map_with_path(choose, own), taken, left


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path[1:], simple=True, separator=".")
