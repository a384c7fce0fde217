"""Ends runs that have diverged, before a picture, score or checkpoint of them is saved."""

import math

import jax
import numpy as np

from gan_jax import gan
from gan_jax.training.hooks.base import Hook, Moment


class FiniteMetrics(Hook):
    """Ends, after every call, runs with a metric that is NaN or infinite."""

    def act(self, moment: Moment) -> None:
        """Ends runs with metrics that are not finite.

        Raises:
            DivergedError: no run is left.
        """
        for run in moment.runs:
            values = moment.values(run)
            wrong = [f"{name} is {x}" for name, x in values.items() if not math.isfinite(x)]
            if wrong:
                moment.runs.end(run, moment.step, ", ".join(wrong))


class FiniteParameters(Hook):
    """Ends runs with a parameter that is NaN or infinite, at the steps of checkpoints."""

    acts_on_stop = True

    def __init__(self, every: tuple[int, ...]):
        """Acts at the intervals of `Checkpoints`."""
        self.every = every

    def act(self, moment: Moment) -> None:
        """Ends runs with parameters that are not finite.

        Raises:
            DivergedError: no run is left.
        """
        for run in moment.runs:
            if not _is_finite(run.select(moment.states)):
                moment.runs.end(run, moment.step, "not all parameters are finite")


def _is_finite(state: gan.GANState) -> bool:
    """Checks parameters and averages; a random key or a step number cannot be infinite."""
    parts = (state.generator.params, state.discriminator.params, state.ema)
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(parts))
