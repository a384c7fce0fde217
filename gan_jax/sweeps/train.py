"""Training a sweep: its progress, which runs train together, and what has failed."""

import json
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import filelock
import jax

from gan_jax import gan, runs
from gan_jax.common import locks
from gan_jax.common.errors import BusyError, RequestError
from gan_jax.common.files import remove_temporary, write_atomically
from gan_jax.common.reading import read_bytes
from gan_jax.experiment import Experiment
from gan_jax.runs import checkpoints
from gan_jax.runs.environment import OtherDrawsError
from gan_jax.runtime import devices
from gan_jax.sweeps.grid import Configurations
from gan_jax.sweeps.plan import Sweep, SweepDirectory, by_program, only
from gan_jax.training.outcome import DivergedError, Outcome
from gan_jax.training.parallel_seeds import resolve
from gan_jax.training.preflight import check_memory
from gan_jax.training.strategy import Strategy
from gan_jax.training.train import train_runs

# Fraction of a device's memory for the train states of one job; activations and data need the rest.
STATES_FRACTION = 0.1


class Progress(NamedTuple):
    """Progress of the seeds of one configuration.

    Attributes:
        finished: number of seeds that are trained.
        diverged: number of seeds that have diverged.
        training: number of seeds that another process is training now.
        waiting: number of all other seeds.
        steps: steps saved so far, summed over seeds.
        failure: why the configuration failed; None if it did not.
    """

    finished: int
    diverged: int
    training: int
    waiting: int
    steps: int
    failure: str | None

    @property
    def is_left(self) -> bool:
        """Whether some seed has not ended, and the configuration has not failed."""
        return self.failure is None and bool(self.training or self.waiting)


class Result(NamedTuple):
    """How a sweep ended.

    Attributes:
        unfinished: whether a signal stopped it, or another process still trains a part of it.
        failed: names of the configurations that failed.
        all_diverged: whether every seed of every configuration has diverged.
    """

    unfinished: bool
    failed: tuple[str, ...]
    all_diverged: bool


def progress(directory: SweepDirectory, sweep: Sweep, name: str) -> Progress:
    """Reads the progress of a configuration from its directory."""
    counts = dict.fromkeys(("finished", "diverged", "training", "waiting"), 0)
    steps = 0
    for run, experiment in sweep.runs(directory, name).items():
        saved = checkpoints.steps(run.checkpoints)
        steps += saved[-1] if saved else 0
        counts[_state(run, experiment, saved)] += 1
    return Progress(**counts, steps=steps, failure=_failure(directory.configuration(name)))


def left(directory: SweepDirectory, sweep: Sweep, *, with_failed: bool = False) -> list[str]:
    """Lists the configurations that are left to train.

    Args:
        directory: where the sweep is.
        sweep: what it is.
        with_failed: whether those that failed are to be trained again.
    """
    states = {name: progress(directory, sweep, name) for name in sweep.configurations}
    if with_failed:
        states = {name: state._replace(failure=None) for name, state in states.items()}
    return [name for name, state in states.items() if state.is_left]


def jobs(
    directory: SweepDirectory, sweep: Sweep, *, with_failed: bool = False
) -> list[Configurations]:
    """Groups the configurations that are left to train by the program that they share."""
    names = left(directory, sweep, with_failed=with_failed)
    waiting = only(sweep, names).configurations
    found = []
    for shared, names in by_program(waiting).items():
        together = _configurations_together(shared, len(sweep.seeds))
        for start in range(0, len(names), together):
            found.append({name: waiting[name] for name in names[start : start + together]})
    return found


def check_fits(directory: SweepDirectory, sweep: Sweep) -> None:
    """Checks that what is left to train fits into the memory of this machine's devices.

    Raises:
        RequestError: some of it does not; says which configurations, and why.
    """
    refused = []
    for name in left(directory, sweep, with_failed=True):
        together = len(_waiting(directory, sweep, name)) // jax.device_count()
        try:
            check_memory(sweep.configurations[name], max(1, together))
        except RequestError as error:
            refused.append(f"configuration {name}: {error}")
    if refused:
        raise RequestError("\n".join(refused))


def train_sweep(
    directory: SweepDirectory,
    sweep: Sweep,
    strategy: Strategy,
    announce: Callable[[str], None],
    accept_changes: bool = False,
) -> Result:
    """Trains what is left of a sweep in this process.

    A configuration that fails is recorded as failed, and the others go on.

    Args:
        directory: where the sweep is.
        sweep: what it is; other configurations in the directory are left alone.
        strategy: how runs that train together share the devices.
        announce: prints a message about progress.
        accept_changes: as that of `training.train.train`.
    """
    waiting = jobs(directory, sweep)
    # Resolved for several runs even if a job has only one, so that no batch is split over cores.
    strategy = resolve(strategy, 2)
    for number, job in enumerate(waiting, start=1):
        announce(f"{number} of {len(waiting)}: {', '.join(job)}")
        for configuration in map(directory.configuration, job):
            remove_temporary(configuration.path, configuration.failure.name)
        experiments: dict[runs.RunDirectory, Experiment] = {}
        for name in job:
            experiments |= _waiting(directory, sweep, name)
        how = {"strategy": strategy, "file": sweep.file, "accept_changes": accept_changes}
        try:
            if experiments and train_runs(experiments, **how) is Outcome.STOPPED:
                return Result(True, failures(directory, sweep), False)
        except DivergedError as error:
            announce(f"{error}")
        except BusyError as error:
            announce(f"skipped: {error}")
        except OtherDrawsError:  # no fault of the configuration
            raise
        except Exception as error:  # whatever one configuration raises must not stop the others
            note_failures(directory, only(sweep, list(job)), error)
            announce(f"failed: {', '.join(job)}: {error!r}")
        jax.clear_caches()  # the next job has other programs
    return result(directory, sweep)


def result(directory: SweepDirectory, sweep: Sweep) -> Result:
    """Reads from the directory of a sweep how its configurations have ended."""
    states = [progress(directory, sweep, name) for name in sweep.configurations]
    unfinished = any(state.is_left for state in states)
    diverged = sum(state.diverged for state in states)
    all_diverged = 0 < diverged == len(states) * len(sweep.seeds)
    return Result(unfinished, failures(directory, sweep), all_diverged)


def failures(directory: SweepDirectory, sweep: Sweep) -> tuple[str, ...]:
    """Lists the configurations that have failed."""
    return tuple(
        name for name in sweep.configurations if _failure(directory.configuration(name)) is not None
    )


def note_failures(directory: SweepDirectory, sweep: Sweep, error: Exception) -> None:
    """Records why configurations could not be trained, so that they are skipped from now on."""
    reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    note = {"reason": reason, "traceback": "".join(traceback.format_exception(error))}
    for name in sweep.configurations:
        configuration = directory.configuration(name)
        configuration.path.mkdir(parents=True, exist_ok=True)
        write_atomically(configuration.failure, json.dumps(note, indent=2).encode() + b"\n")


def forget_failures(directory: SweepDirectory, sweep: Sweep) -> None:
    """Forgets failures, so that these configurations are trained again."""
    for name in sweep.configurations:
        directory.configuration(name).failure.unlink(missing_ok=True)


def _configurations_together(shared: Experiment, seeds: int) -> int:
    """Computes how many configurations one job holds, so that all its states fit the device."""
    state = jax.eval_shape(lambda: gan.init(shared, 0))
    size = seeds * sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    return max(1, int(STATES_FRACTION * devices.memory_bytes() / size))


def _state(run: runs.RunDirectory, experiment: Experiment, saved: Sequence[int]) -> str:
    if run.divergence.exists():
        return "diverged"
    # The final picture is written after the last checkpoint.
    if saved and saved[-1] >= experiment.total_steps() and run.final_picture.exists():
        return "finished"
    return "training" if _is_locked(run.lock) else "waiting"


def _waiting(
    directory: SweepDirectory, sweep: Sweep, name: str
) -> dict[runs.RunDirectory, Experiment]:
    """The runs of a configuration that nobody has finished, stopped or begun to train."""
    return {
        run: experiment
        for run, experiment in sweep.runs(directory, name).items()
        if _state(run, experiment, checkpoints.steps(run.checkpoints)) == "waiting"
    }


def _is_locked(lock: Path) -> bool:
    if not lock.exists():
        return False
    try:
        with locks.locked(lock, timeout=0):
            return False
    except filelock.Timeout:
        return True
    except OSError:  # nobody can train where nothing can be written
        return False


def _failure(configuration: runs.RunDirectory) -> str | None:
    try:
        return str(json.loads(read_bytes(configuration.failure))["reason"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError):
        return f"unknown, {configuration.failure} is damaged"
