"""Where a run starts: from random or given parameters, or from its newest intact checkpoint."""

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import filelock
import jax
import jax.numpy as jnp

from gan_jax import gan, runs
from gan_jax.common import locks
from gan_jax.common.errors import BusyError, RequestError
from gan_jax.common.files import remove_temporary
from gan_jax.data import dataset
from gan_jax.experiment import Experiment
from gan_jax.optimizers import Schedule
from gan_jax.runs import checkpoints
from gan_jax.runtime import devices, hosts
from gan_jax.training.logs import damaged_lines, lost_lines, lost_pictures
from gan_jax.training.pretrained import InitFrom, load_pretrained

Initial = tuple[gan.GANState, list[str]]  # a state at step 0, and messages about it


@dataclasses.dataclass(frozen=True)
class Start:
    """Where one run starts or goes on.

    Attributes:
        experiment: its configuration.
        directory: its files; of several processes all but the first have a temporary one.
        checkpoints: the folder into which all processes save together.
        restored: whether it goes on from a checkpoint.
        step: that it starts at.
        state: at that step.
        messages: about that.
    """

    experiment: Experiment
    directory: runs.RunDirectory
    checkpoints: Path
    restored: bool
    step: int
    state: gan.GANState
    messages: tuple[str, ...]

    def in_words(self, last_step: int) -> str:
        """Says what happens to the run."""
        path = self.directory.path
        if self.step == last_step:
            return f"{path} is finished, at step {self.step}; --steps N extends it"
        if self.restored:
            return f"resuming {path} at step {self.step} of {last_step}"
        return f"training {last_step} steps in {path}"


def schedules_in_words(experiment: Experiment) -> list[str]:
    """Warns of schedules that do not end with training.

    Their rate is still changing at the last step, or has been 0 for a while.
    """
    said, total = [], experiment.total_steps()
    for player, updates in (("generator", 1), ("discriminator", experiment.discriminator_steps)):
        schedule = getattr(getattr(experiment, f"{player}_optimizer"), "schedule", None)
        if isinstance(schedule, Schedule) and schedule.steps:
            end = schedule.steps / updates
            if total < end or (total > end and not schedule.end):
                said.append(
                    f"note: the {player}'s learning rate changes until step {end:,.0f}, and "
                    f"training ends at step {total:,}"
                )
    return said


def data_in_words(experiment: Experiment) -> str:
    """Says what was found to train on; loads the data."""
    data = experiment.data
    used = data.labels or getattr(data, "targets", False)
    unused = "; their labels are not used" if data.class_names and not used else ""
    return f"data: {dataset.in_words(data)}{unused}"


def initialise(experiment: Experiment, init_from: InitFrom | None) -> Initial:
    """Returns the state of a new run at step 0.

    Raises:
        RequestError: the parameters of `init_from` do not fit.
    """
    messages: list[str] = []
    init = jax.jit(gan.init, static_argnums=0)
    state = init(experiment.static, jnp.uint32(experiment.seed))
    if init_from:
        state = load_pretrained(init_from, state, messages.append)
    return state, messages


def find_start(
    experiment: Experiment,
    directory: runs.RunDirectory,
    initial: Initial | None,
    last_step: int,
) -> Start:
    """Loads the newest intact checkpoint of a run, if there are checkpoints.

    Args:
        experiment: the configuration.
        directory: where it is.
        initial: what it starts from without checkpoints; may be None where there are some.
        last_step: at which training is to end.

    Raises:
        RequestError: all checkpoints are damaged or lost, or they hold other arrays; or the run has
            been trained beyond the last step.
    """
    messages: list[str] = []
    restored = bool(checkpoints.steps(directory.checkpoints))
    if restored:
        try:
            step, state = checkpoints.load_newest_intact(
                directory.checkpoints, _template(experiment), messages.append, mend=hosts.is_first()
            )
        except checkpoints.DamagedError as error:
            advice = f"to start over, remove {directory.path} or give another --workdir"
            raise RequestError("\n".join((*messages, f"{error}; {advice}"))) from error
        if step > last_step:
            beyond = (
                f"{directory.path} is at step {step} already, beyond the {last_step} steps asked "
                f"for: give --steps {step} or more, or another --workdir"
            )
            raise RequestError("\n".join((*messages, beyond)))
        state = devices.own_copy(state)
        intervals = {directory.metrics: experiment.log_every}
        if experiment.evaluate_every:
            intervals[directory.evaluation] = experiment.evaluate_every
        lost = lost_pictures(directory, step, experiment.sample_every)
        for path, every in intervals.items():
            lost += damaged_lines(path) + lost_lines(path, step, every)
        messages += [f"warning: {message}" for message in lost]
    else:
        _refuse_lost_checkpoints(directory)
        step, (state, messages) = 0, initial
    return Start(
        experiment, directory, directory.checkpoints, restored, step, state, tuple(messages)
    )


def align(starts: list[Start], last_step: int) -> list[Start]:
    """Rewinds runs that a crash left one save ahead of others, so that all train together."""
    unfinished = [start.step for start in starts if start.step < last_step]
    if not unfinished:
        return starts
    behind = min(unfinished)
    aligned = []
    for start in starts:
        folder = start.checkpoints
        near = behind < start.step < min(last_step, behind + start.experiment.save_every + 1)
        if near and behind in checkpoints.steps(folder):
            with suppress(checkpoints.DamagedError):  # then it goes on by itself
                state = checkpoints.load(folder, behind, _template(start.experiment))
                checkpoints.remove_after(folder, behind)
                start = dataclasses.replace(start, step=behind, state=state)
        aligned.append(start)
    return aligned


@contextmanager
def locked(directory: runs.RunDirectory) -> Iterator[None]:
    """Makes the run directory, clears what a crash left, and keeps other processes out.

    Raises:
        BusyError: another process is training in it.
        RequestError: it cannot be written.
    """
    with ExitStack() as stack:
        try:
            directory.path.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locks.locked(directory.lock, timeout=0))
        except filelock.Timeout as error:
            raise BusyError(
                f"another process is training in {directory.path}: wait until it has ended"
            ) from error
        except OSError as error:
            raise RequestError(f"workdir {directory.path} cannot be written: {error}") from error
        for folder in (directory.samples, directory.best):
            remove_temporary(folder)
        for file in (directory.config, directory.metrics, directory.seconds, directory.divergence):
            remove_temporary(directory.path, file.name)
        yield


def _template(experiment: Experiment) -> gan.GANState:
    return runs.abstract_state(experiment, devices.for_checkpoints())


def _refuse_lost_checkpoints(directory: runs.RunDirectory) -> None:
    if directory.metrics.exists() and directory.metrics.stat().st_size:
        raise RequestError(
            f"{directory.path} has metrics, but its checkpoints are gone; to start over, "
            "remove the directory or give another --workdir"
        )
