"""The runs that one program trains together, and which of them are still active."""

import dataclasses
import json
from collections.abc import Callable, Iterator

import jax

from gan_jax import gan, runs
from gan_jax.common.files import write_atomically
from gan_jax.evaluation.during_training import LightEvaluation
from gan_jax.experiment import Experiment
from gan_jax.runs import checkpoints
from gan_jax.training.diagnostics import Diagnostics
from gan_jax.training.logs import Display, RunLog
from gan_jax.training.outcome import DivergedError
from gan_jax.training.parallel_seeds import Plan


@dataclasses.dataclass(frozen=True, eq=False)
class RunInTraining:
    """One of the runs that train together, and what writes into its directory.

    Attributes:
        position: of its state on the leading seed axis.
        experiment: with the seed and hyper-parameters of this run.
        directory: its files; of several processes all but the first have a temporary one.
        log: its growing files.
        checkpointer: saves its states.
        diagnostics: computes figures of its states.
        light_evaluation: scores its states; None where the experiment is not evaluated.
    """

    position: int
    experiment: Experiment
    directory: runs.RunDirectory
    log: RunLog
    checkpointer: checkpoints.Checkpointer
    diagnostics: Diagnostics
    light_evaluation: LightEvaluation | None

    def select(self, states: gan.GANState) -> gan.GANState:
        """Returns this run's state out of those of all runs, [seeds, ...] in host memory."""
        return jax.tree.map(lambda leaf: leaf[self.position], states)


@dataclasses.dataclass(frozen=True)
class Session:
    """What stays the same while runs train together in one process.

    Attributes:
        plan: how the seeds share the devices.
        runs: all of them, in the order of the leading seed axis.
        display: the terminal.
        stopping: says whether a signal has asked to stop.
        last_step: at which training ends.
        started: when this process began to train the runs, by the monotonic clock.
        several: a run that diverges is marked and left alone from then on, and the others go on;
            summaries are brief.
    """

    plan: Plan
    runs: tuple[RunInTraining, ...]
    display: Display
    stopping: Callable[[], bool]
    last_step: int
    started: float
    several: bool

    @property
    def experiment(self) -> Experiment:
        """The static configuration, which all runs share."""
        return self.runs[0].experiment.static


class ActiveRuns:
    """The runs of a session that have not diverged; iterates over them in order."""

    def __init__(self, session: Session):
        """Starts with all runs."""
        self._session = session
        self._runs = list(session.runs)

    def __iter__(self) -> Iterator[RunInTraining]:
        return iter(tuple(self._runs))  # a copy, as runs may be ended meanwhile

    def __len__(self) -> int:
        return len(self._runs)

    def say(self, message: str, *about: RunInTraining) -> None:
        """Prints a message, and writes it to the logs of the runs that it is about."""
        self._session.display.say(message)
        for run in about:
            run.log.message(message)

    def end(self, run: RunInTraining, step: int, reason: str) -> None:
        """Ends a run that has diverged: nothing more is written of it.

        Raises:
            DivergedError: no run is left.
        """
        self._runs.remove(run)
        saved = checkpoints.steps(run.directory.checkpoints)
        newest = (
            f"the newest checkpoint is from step {saved[-1]}"
            if saved
            else "nothing has been saved yet"
        )
        message = f"diverged at step {step}: {reason}; {newest}"
        if self._session.several:
            message = f"{run.directory.path} {message}"
            note = {"step": step, "reason": reason}
            write_atomically(run.directory.divergence, json.dumps(note).encode() + b"\n")
        if not self._runs:
            run.log.message(message)
            raise DivergedError(message)
        self.say(f"{message}; the others go on", run)
