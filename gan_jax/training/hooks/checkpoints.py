"""Checkpoints, and the best of them."""

import time

from gan_jax.evaluation.during_training import keep_best
from gan_jax.experiment import Experiment
from gan_jax.training.hooks.base import Hook, Moment


class Checkpoints(Hook):
    """Saves each run's state, and how long training has taken."""

    acts_on_stop = True

    def __init__(self, experiment: Experiment, started: float, count: int):
        """Acts every `save_every` steps and after evaluations.

        What is evaluated is saved, so that there is a checkpoint to keep if it is the best.

        Args:
            experiment: of all runs.
            started: when they began to train, by the monotonic clock.
            count: how many runs share the time.
        """
        self.every = tuple(filter(None, (experiment.save_every, experiment.evaluate_every)))
        self._started = started
        self._count = count

    def act(self, moment: Moment) -> None:
        """Starts to save the states, in the background."""
        for run in moment.runs:
            run.checkpointer.save(moment.step, run.select(moment.states))
            run.log.seconds(moment.step, (time.monotonic() - self._started) / self._count)


class BestCheckpoint(Hook):
    """Keeps each run's checkpoint with the best score so far."""

    def __init__(self, experiment: Experiment):
        """Acts every `evaluate_every` steps."""
        self.every = (experiment.evaluate_every,)

    def act(self, moment: Moment) -> None:
        """Waits until the newest checkpoints are on disk, and keeps the best."""
        for run in moment.runs:
            run.checkpointer.wait()
            keep_best(run.directory, run.experiment)
