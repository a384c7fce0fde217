"""Sweeps: settings times seeds, each a run; what share a program train in one."""

import dataclasses
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import jax

from gan_jax import checkpoints, config, devices, gan, runs
from gan_jax.checks import nearest
from gan_jax.errors import BusyError, RequestError
from gan_jax.experiment import Experiment
from gan_jax.files import write_atomically
from gan_jax.loop import DivergedError, Outcome
from gan_jax.seeds import Strategy, resolve
from gan_jax.settings import Settings
from gan_jax.shapes import check_shapes
from gan_jax.train import train_runs

# Of a device's memory, for the states of the runs of one job; the rest is for activations and data.
SHARE_OF_STATES = 0.1

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SweepDirectory:
    """Where a sweep is: its plan, and a directory of seeds for each setting."""

    path: Path

    @property
    def plan(self) -> Path:
        """What the sweep is: seeds, settings, and the file that they come from."""
        return self.path / "sweep.json"

    @property
    def lock(self) -> Path:
        """Held while a process drives the sweep."""
        return self.path / ".lock"

    @property
    def logs(self) -> Path:
        """What the processes of launchers said."""
        return self.path / "logs"

    def setting(self, name: str) -> runs.RunDirectory:
        """Where a setting has its seeds."""
        return runs.RunDirectory(self.path / name)


@dataclasses.dataclass(frozen=True)
class Sweep:
    """What a sweep is.

    Attributes:
        settings: experiments by name.
        seeds: of each of them.
        file: the Python file that they come from, for the record.
    """

    settings: Mapping[str, Experiment]
    seeds: tuple[int, ...]
    file: Path | None

    def runs(self, directory: SweepDirectory, name: str) -> dict[runs.RunDirectory, Experiment]:
        """The runs of one setting."""
        experiment = self.settings[name]
        return {
            directory.setting(name).of_seed(seed): dataclasses.replace(experiment, seed=seed)
            for seed in self.seeds
        }


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
    def is_over(self) -> bool:
        """Whether there is nothing left to train."""
        return not self.training and not self.waiting


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


def prepare(directory: SweepDirectory, sweep: Sweep) -> Sweep:
    """Writes the plan of a sweep, or adds settings and seeds to the one that is there.

    Returns:
        The whole sweep, with what was there before.

    Raises:
        RequestError: an experiment cannot be trained, differs from that of the same name, or
            something else is in the directory; nothing has changed.
    """
    before = read(directory) if directory.plan.exists() else None
    if before is None and directory.path.exists():
        if not directory.path.is_dir():
            raise RequestError(f"workdir {directory.path} is a file, no directory")
        names = sorted(inner.name for inner in directory.path.iterdir())
        if strangers := [name for name in names if not name.startswith(".")]:
            raise RequestError(
                f"workdir {directory.path} holds something else than a sweep "
                f"({', '.join(strangers[:3])}); give an empty or new --workdir"
            )
    settings = dict(before.settings if before else {})
    for name, experiment in sweep.settings.items():
        _refuse_changes(directory, name, settings.get(name), experiment)
        settings[name] = experiment
    seeds = tuple(dict.fromkeys([*(before.seeds if before else ()), *sweep.seeds]))
    whole = Sweep(settings, seeds, sweep.file)
    check(whole)
    for name in settings:
        runs.claim_for_seeds(directory.setting(name))
    record = {
        "settings": {name: config.encode(each) for name, each in settings.items()},
        "seeds": seeds,
        "file": str(sweep.file.resolve()) if sweep.file else None,
        "command": sys.argv,
        "git": runs.git_commit(),
    }
    try:
        directory.path.mkdir(parents=True, exist_ok=True)
        write_atomically(directory.plan, json.dumps(record, indent=2).encode() + b"\n")
    except OSError as error:
        raise RequestError(f"workdir {directory.path} cannot be written: {error}") from error
    return whole


def check(sweep: Sweep) -> None:
    """Checks that every setting can be trained.

    Raises:
        RequestError: says which cannot, and why.
    """
    for shared, names in _sharing(sweep.settings).items():
        try:
            check_shapes(shared)
        except RequestError as error:
            raise RequestError(f"setting {names[0]}: {error}") from error


def read(directory: SweepDirectory) -> Sweep:
    """Reads the plan of a sweep.

    Raises:
        RequestError: there is none, or its experiments cannot be built any more.
    """
    try:
        record = json.loads(directory.plan.read_bytes())
        file, encoded, seeds = record["file"], record["settings"], tuple(record["seeds"])
        if not (isinstance(file, str | None) and isinstance(encoded, dict) and seeds):
            raise TypeError("file, settings and seeds are not what they should be")
        settings = {name: _experiment_of(file, each) for name, each in encoded.items()}
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RequestError(
            f"no sweep in {directory.path}: it has no {directory.plan.name}; "
            "`gan-jax sweep EXPERIMENT.py` makes one"
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(f"{directory.plan} is not the plan of a sweep: {error!r}") from error
    return Sweep(settings, seeds, Path(file) if file else None)


def directories(path: Path) -> list[Path]:
    """The settings in the directory of a sweep that have runs; another directory is itself."""
    directory = SweepDirectory(path)
    if not directory.plan.exists():
        return [path]
    settings = [directory.setting(name) for name in read(directory).settings]
    for setting in settings:
        if not setting.seeds():
            _logger.warning("%s has no run yet and is left out", setting.path)
    return [setting.path for setting in settings if setting.seeds()]


def only(sweep: Sweep, names: Sequence[str]) -> Sweep:
    """The same sweep with some of its settings.

    Raises:
        RequestError: there is no setting of that name.
    """
    for name in names:
        if name not in sweep.settings:
            raise RequestError(f"no setting {name} in the sweep{nearest(name, sweep.settings)}")
    return dataclasses.replace(sweep, settings={name: sweep.settings[name] for name in names})


def progress(directory: SweepDirectory, sweep: Sweep, name: str) -> Progress:
    """Looks how far the seeds of a setting are."""
    counts = dict.fromkeys(("finished", "diverged", "training", "waiting"), 0)
    steps = 0
    for run, experiment in sweep.runs(directory, name).items():
        saved = checkpoints.steps(run.checkpoints)
        steps += saved[-1] if saved else 0
        counts[_state(run, experiment, saved)] += 1
    return Progress(**counts, steps=steps, failure=_failure(directory.setting(name)))


def jobs(directory: SweepDirectory, sweep: Sweep) -> list[Settings]:
    """The settings that are not over and have not failed, by the program that they share."""
    waiting = {}
    for name, experiment in sweep.settings.items():
        state = progress(directory, sweep, name)
        if not state.is_over and state.failure is None:
            waiting[name] = experiment
    found = []
    for shared, names in _sharing(waiting).items():
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
    left = jobs(directory, sweep)
    # As for several runs, even where a job has one: its batch is not split over the cores then.
    strategy = resolve(strategy, 2)
    for number, job in enumerate(left, start=1):
        announce(f"{number} of {len(left)}: {', '.join(job)}")
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
    unfinished = any(state.failure is None and not state.is_over for state in states)
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


@contextmanager
def driving(directory: SweepDirectory) -> Iterator[None]:
    """Keeps other processes from driving the sweep.

    Raises:
        BusyError: one does.
    """
    try:
        with filelock.FileLock(directory.lock).acquire(timeout=0):
            yield
    except filelock.Timeout as error:
        raise BusyError(f"another process is running the sweep in {directory.path}") from error


def _refuse_changes(
    directory: SweepDirectory, name: str, before: Experiment | None, now: Experiment
) -> None:
    if before is None:
        return
    differing = config.differences(config.encode(before), config.encode(now))
    changed = [line for line in differing if line.split(":")[0] not in config.LENGTH_FIELDS]
    if changed:
        raise RequestError(
            f"the setting {name} of the sweep in {directory.path} was another experiment; give "
            "another --workdir, or undo:\n  " + "\n  ".join(changed)
        )


def _experiment_of(file: str | None, encoded: Any) -> Experiment:
    experiment = runs.experiment_of({"file": file, "experiment": encoded})
    if not isinstance(experiment, Experiment):
        raise TypeError(f"{experiment!r} is no experiment")
    return experiment


def _sharing(settings: Mapping[str, Experiment]) -> dict[Experiment, list[str]]:
    """Names of the settings that share a program."""
    found: dict[Experiment, list[str]] = {}
    for name, experiment in settings.items():
        found.setdefault(experiment.shared, []).append(name)
    return found


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
