"""Training a sweep: how far it is, what trains together, and what has failed."""

import json
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import filelock
import jax

from gan_jax import gan, runs
from gan_jax.common.errors import BusyError
from gan_jax.common.files import write_atomically
from gan_jax.experiment import Experiment
from gan_jax.runs import checkpoints
from gan_jax.runtime import devices
from gan_jax.sweeps.grid import Settings
from gan_jax.sweeps.plan import Sweep, SweepDirectory, only, sharing
from gan_jax.training.outcome import DivergedError, Outcome
from gan_jax.training.parallel_seeds import Strategy, resolve
from gan_jax.training.train import train_runs

# Of a device's memory, for the states of the runs of one job; the rest is for activations and data.
SHARE_OF_STATES = 0.1


class Progress(NamedTuple):
    """How far the seeds of a setting are.

    Attributes:
        finished: how many.
        diverged: how many.
        training: how many another process is training now.
        waiting: how many of the others.
        steps: saved so far, of all seeds together.
        failure: why it failed, if it did.
    """

    finished: int
    diverged: int
    training: int
    waiting: int
    steps: int
    failure: str | None

    @property
    def is_left(self) -> bool:
        """Whether something is left to train, or another process is at it."""
        return self.failure is None and bool(self.training or self.waiting)


class Result(NamedTuple):
    """How a sweep ended.

    Attributes:
        unfinished: a signal came, or another process still trains a part of it.
        failed: names of the settings that failed.
        all_diverged: every seed of every setting has.
    """

    unfinished: bool
    failed: tuple[str, ...]
    all_diverged: bool


def progress(directory: SweepDirectory, sweep: Sweep, name: str) -> Progress:
    """Looks how far the seeds of a setting are."""
    counts = dict.fromkeys(("finished", "diverged", "training", "waiting"), 0)
    steps = 0
    for run, experiment in sweep.runs(directory, name).items():
        saved = checkpoints.steps(run.checkpoints)
        steps += saved[-1] if saved else 0
        counts[_state(run, experiment, saved)] += 1
    return Progress(**counts, steps=steps, failure=_failure(directory.setting(name)))


def left(directory: SweepDirectory, sweep: Sweep) -> list[str]:
    """Names of the settings that are neither over nor failed."""
    return [name for name in sweep.settings if progress(directory, sweep, name).is_left]


def jobs(directory: SweepDirectory, sweep: Sweep) -> list[Settings]:
    """The settings that are left, by the program that they share."""
    waiting = only(sweep, left(directory, sweep)).settings
    found = []
    for shared, names in sharing(waiting).items():
        together = _settings_together(shared, len(sweep.seeds))
        for start in range(0, len(names), together):
            found.append({name: waiting[name] for name in names[start : start + together]})
    return found


def train_sweep(
    directory: SweepDirectory,
    sweep: Sweep,
    strategy: Strategy,
    announce: Callable[[str], None],
) -> Result:
    """Trains what is left of a sweep in this process; a setting that fails is noted and left.

    Args:
        directory: where the sweep is.
        sweep: what it is; settings that are not in it are left alone.
        strategy: how runs that train together share the devices.
        announce: says what happens.
    """
    waiting = jobs(directory, sweep)
    # As for several runs, even where a job has one: its batch is not split over the cores then.
    strategy = resolve(strategy, 2)
    for number, job in enumerate(waiting, start=1):
        announce(f"{number} of {len(waiting)}: {', '.join(job)}")
        experiments = {
            run: experiment
            for name in job
            for run, experiment in sweep.runs(directory, name).items()
            if _state(run, experiment, checkpoints.steps(run.checkpoints)) == "waiting"
        }
        try:
            if experiments and train_runs(experiments, strategy=strategy, file=sweep.file) is (
                Outcome.STOPPED
            ):
                return Result(True, failures(directory, sweep), False)
        except DivergedError as error:
            announce(f"{error}")
        except BusyError as error:
            announce(f"left alone: {error}")
        except Exception as error:  # whatever one setting raises must not stop the others
            note_failures(directory, only(sweep, list(job)), error)
            announce(f"failed: {', '.join(job)}: {error!r}")
        jax.clear_caches()  # the next job has other programs
    return result(directory, sweep)


def result(directory: SweepDirectory, sweep: Sweep) -> Result:
    """How the settings of a sweep have ended."""
    states = [progress(directory, sweep, name) for name in sweep.settings]
    unfinished = any(state.is_left for state in states)
    diverged = sum(state.diverged for state in states)
    all_diverged = 0 < diverged == len(states) * len(sweep.seeds)
    return Result(unfinished, failures(directory, sweep), all_diverged)


def failures(directory: SweepDirectory, sweep: Sweep) -> tuple[str, ...]:
    """Names of the settings that have failed."""
    return tuple(name for name in sweep.settings if _failure(directory.setting(name)) is not None)


def note_failures(directory: SweepDirectory, sweep: Sweep, error: Exception) -> None:
    """Notes why settings could not be trained, so that they are left alone from now on."""
    reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    note = {"reason": reason, "traceback": "".join(traceback.format_exception(error))}
    for name in sweep.settings:
        setting = directory.setting(name)
        setting.path.mkdir(parents=True, exist_ok=True)
        write_atomically(setting.failure, json.dumps(note, indent=2).encode() + b"\n")


def forget_failures(directory: SweepDirectory, sweep: Sweep) -> None:
    """Lets settings that have failed be trained again."""
    for name in sweep.settings:
        directory.setting(name).failure.unlink(missing_ok=True)


def _settings_together(shared: Experiment, seeds: int) -> int:
    """How many settings one job holds, so that the states of all its runs fit the device."""
    state = jax.eval_shape(lambda: gan.init(shared, 0))
    size = seeds * sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    return max(1, int(SHARE_OF_STATES * devices.memory_bytes() / size))


def _state(run: runs.RunDirectory, experiment: Experiment, saved: Sequence[int]) -> str:
    if run.divergence.exists():
        return "diverged"
    # The last picture is written after the last checkpoint.
    if saved and saved[-1] >= experiment.total_steps() and run.final_picture.exists():
        return "finished"
    return "training" if _is_locked(run.lock) else "waiting"


def _is_locked(lock: Path) -> bool:
    if not lock.exists():
        return False
    try:
        with filelock.FileLock(lock).acquire(timeout=0):
            return False
    except filelock.Timeout:
        return True


def _failure(setting: runs.RunDirectory) -> str | None:
    try:
        return str(json.loads(setting.failure.read_bytes())["reason"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError):
        return f"unknown, {setting.failure} is damaged"
