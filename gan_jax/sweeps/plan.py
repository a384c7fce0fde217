"""The plan of a sweep: its configurations and seeds, on disk so that it can resume and grow."""

import dataclasses
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import filelock

from gan_jax import runs
from gan_jax.common import locks
from gan_jax.common.errors import BusyError, RequestError
from gan_jax.common.files import remove_temporary, write_atomically
from gan_jax.common.provenance import git_commit
from gan_jax.common.reading import read_bytes
from gan_jax.common.validation import nearest
from gan_jax.experiment import Experiment
from gan_jax.runs import places, serialisation, trust
from gan_jax.training.preflight import check_shapes

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SweepDirectory:
    """The directory of a sweep: its plan, and a directory of seeds for each configuration."""

    path: Path

    @property
    def plan(self) -> Path:
        """JSON with the seeds, the configurations, and the file that they come from."""
        return self.path / runs.SWEEP

    @property
    def lock(self) -> Path:
        """Held while a process trains the whole sweep."""
        return self.path / ".lock"

    @property
    def logs(self) -> Path:
        """Output of the processes that launchers start."""
        return self.path / "logs"

    def configuration(self, name: str) -> runs.RunDirectory:
        """The directory that holds the seeds of a configuration."""
        return runs.RunDirectory(self.path / name)


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Configurations of an experiment, each trained with the same seeds.

    Attributes:
        configurations: experiments by name.
        seeds: those of every configuration.
        file: the Python file that the configurations come from, for the record.
    """

    configurations: Mapping[str, Experiment]
    seeds: tuple[int, ...]
    file: Path | None

    def runs(self, directory: SweepDirectory, name: str) -> dict[runs.RunDirectory, Experiment]:
        """The runs of one configuration, with their experiments."""
        experiment = self.configurations[name]
        return {
            directory.configuration(name).of_seed(seed): dataclasses.replace(experiment, seed=seed)
            for seed in self.seeds
        }


def prepare(directory: SweepDirectory, sweep: Sweep) -> Sweep:
    """Writes the plan of a sweep, or adds configurations and seeds to an existing plan.

    Returns:
        The whole sweep, including what was planned before.

    Raises:
        RequestError: an experiment cannot be trained or differs from the planned one of the same
            name, or the directory holds something else; nothing on disk has changed.
    """
    before = read(directory) if directory.plan.exists() else None
    if before is None and directory.path.exists():
        if not directory.path.is_dir():
            raise RequestError(f"workdir {directory.path} is a file, not a directory")
        names = sorted(inner.name for inner in directory.path.iterdir())
        if strangers := [name for name in names if not name.startswith(".")]:
            raise RequestError(
                f"workdir {directory.path} holds something other than a sweep "
                f"({', '.join(strangers[:3])}); give an empty or new --workdir"
            )
    configurations = dict(before.configurations if before else {})
    _refuse_other_data(directory, configurations, sweep.configurations)
    for name, experiment in sweep.configurations.items():
        _refuse_changes(directory, name, configurations.get(name), experiment)
        configurations[name] = experiment
    seeds = tuple(dict.fromkeys([*(before.seeds if before else ()), *sweep.seeds]))
    whole = Sweep(configurations, seeds, sweep.file)
    check(whole)
    for name in configurations:
        runs.claim_for_seeds(directory.configuration(name))
    encoded = {name: serialisation.encode(each) for name, each in configurations.items()}
    record = {
        runs.CONFIGURATIONS: encoded,
        "seeds": seeds,
        "file": str(sweep.file.resolve()) if sweep.file else None,
        "command": sys.argv,
        "git": git_commit(),
    }
    try:
        directory.path.mkdir(parents=True, exist_ok=True)
        write_atomically(directory.plan, json.dumps(record, indent=2).encode() + b"\n")
        for each in encoded.values():
            trust.remember(each, record["file"])
    except OSError as error:
        raise RequestError(f"workdir {directory.path} cannot be written: {error}") from error
    return whole


def check(sweep: Sweep) -> None:
    """Checks that every configuration can be trained.

    Raises:
        RequestError: one cannot; says which, and why.
    """
    for shared, names in by_program(sweep.configurations).items():
        try:
            check_shapes(shared)
        except RequestError as error:
            raise RequestError(f"configuration {names[0]}: {error}") from error


def read(directory: SweepDirectory) -> Sweep:
    """Reads the plan of a sweep.

    Raises:
        RequestError: there is none, or its experiments can no longer be built.
    """
    try:
        record = json.loads(read_bytes(directory.plan))
        file, seeds = record["file"], tuple(record["seeds"])
        encoded = serialisation.up_to_date(record[runs.CONFIGURATIONS])
        if not (isinstance(file, str | None) and isinstance(encoded, dict) and seeds):
            raise TypeError(f"file, {runs.CONFIGURATIONS} or seeds have the wrong type")
        for name in encoded:
            if Path(name).name != name or name in ("", ".", "..") or "\0" in name:
                raise TypeError(f"{name!r} is not the name of a configuration")
        configurations = {
            name: _experiment_of({"file": file, "experiment": each}, directory.path)
            for name, each in encoded.items()
        }
    except (FileNotFoundError, NotADirectoryError) as error:
        if not directory.path.exists():
            raise RequestError(
                f"no sweep in {directory.path}: there is no such directory"
            ) from error
        raise RequestError(
            f"no sweep in {directory.path}: it has no {directory.plan.name}; "
            "`gan-jax sweep EXPERIMENT.py` makes one"
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(f"{directory.plan} is not the plan of a sweep: {error!r}") from error
    file = places.find_file(file, directory.path)
    return Sweep(configurations, seeds, Path(file) if file else None)


def directories(path: Path) -> list[Path]:
    """Lists the configurations of a sweep that have runs; [path] if it is not a sweep."""
    directory = SweepDirectory(path)
    if not directory.plan.exists():
        return [path]
    configurations = [directory.configuration(name) for name in read(directory).configurations]
    for configuration in configurations:
        if not configuration.seeds():
            _logger.warning("%s has no run yet and is left out", configuration.path)
    return [configuration.path for configuration in configurations if configuration.seeds()]


def evaluated_together(paths: Sequence[Path]) -> list[list[Path]]:
    """Groups directories whose samples are measured together.

    Each configuration of a sweep is a group. All other directories form one group, as seeds of one
    experiment.

    Raises:
        RequestError: one of the sweeps has no run yet.
    """
    sweeps = [path for path in paths if SweepDirectory(path).plan.exists()]
    together = [path for path in paths if path not in sweeps]
    groups = [together] if together else []
    for sweep in sweeps:
        configurations = directories(sweep)
        if not configurations:
            raise RequestError(f"{sweep} has no run yet: gan-jax sweep {sweep}")
        groups += [[configuration] for configuration in configurations]
    return groups


def only(sweep: Sweep, names: Sequence[str]) -> Sweep:
    """Returns the sweep with only these of its configurations.

    Raises:
        RequestError: there is no configuration of one of these names.
    """
    known = sweep.configurations
    for name in names:
        if name not in known:
            raise RequestError(f"no configuration {name} in the sweep{nearest(name, known)}")
    return dataclasses.replace(sweep, configurations={name: known[name] for name in names})


@contextmanager
def driving(directory: SweepDirectory) -> Iterator[None]:
    """Keeps other processes from training the whole sweep at the same time.

    Raises:
        BusyError: another process is doing so.
        RequestError: the directory cannot be written.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(locks.locked(directory.lock, timeout=0))
        except filelock.Timeout as error:
            raise BusyError(
                f"another process is running the sweep in {directory.path}: wait until it has "
                "ended; --status shows its progress"
            ) from error
        except OSError as error:
            raise RequestError(f"{directory.path} cannot be written: {error}") from error
        remove_temporary(directory.path, directory.plan.name)
        yield


def by_program(configurations: Mapping[str, Experiment]) -> dict[Experiment, list[str]]:
    """Groups names of configurations that share a compiled program, by its static configuration."""
    found: dict[Experiment, list[str]] = {}
    for name, experiment in configurations.items():
        found.setdefault(experiment.static, []).append(name)
    return found


def _refuse_changes(
    directory: SweepDirectory, name: str, before: Experiment | None, now: Experiment
) -> None:
    if before is None:
        return
    differing = serialisation.differences(serialisation.encode(before), serialisation.encode(now))
    changed = [line for line in differing if line.split(":")[0] not in serialisation.LENGTH_FIELDS]
    if changed:
        raise RequestError(
            f"the configuration {name} of the sweep in {directory.path} was another experiment; "
            "give another --workdir, or undo (planned -> now):\n  " + "\n  ".join(changed)
        )


def _refuse_other_data(
    directory: SweepDirectory, before: Mapping[str, Experiment], now: Mapping[str, Experiment]
) -> None:
    """Refuses data whose results could not be compared, unless the sweep varies the data."""
    known = {experiment.data for experiment in before.values()}
    for name, experiment in now.items():
        if len(known) == 1 and experiment.data not in known and "data" not in name:
            raise RequestError(
                f"the sweep in {directory.path} is of other data than the configuration {name}, so "
                "their results cannot be compared; give another --workdir"
            )


def _experiment_of(record: dict[str, Any], path: Path) -> Experiment:
    experiment = runs.experiment_of(record, path)
    if not isinstance(experiment, Experiment):
        raise TypeError(f"{experiment!r} is not an experiment")
    return experiment
