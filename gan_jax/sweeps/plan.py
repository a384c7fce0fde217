"""The plan of a sweep: which settings and seeds, on disk so that it goes on and grows."""

import dataclasses
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from gan_jax import runs
from gan_jax.common.errors import BusyError, RequestError
from gan_jax.common.files import write_atomically
from gan_jax.common.provenance import git_commit
from gan_jax.common.validation import nearest
from gan_jax.experiment import Experiment
from gan_jax.runs import serialisation
from gan_jax.training.preflight import check_shapes

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SweepDirectory:
    """Where a sweep is: its plan, and a directory of seeds for each setting."""

    path: Path

    @property
    def plan(self) -> Path:
        """What the sweep is: seeds, settings, and the file that they come from."""
        return self.path / runs.SWEEP

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
    _refuse_other_data(directory, settings, sweep.settings)
    for name, experiment in sweep.settings.items():
        _refuse_changes(directory, name, settings.get(name), experiment)
        settings[name] = experiment
    seeds = tuple(dict.fromkeys([*(before.seeds if before else ()), *sweep.seeds]))
    whole = Sweep(settings, seeds, sweep.file)
    check(whole)
    for name in settings:
        runs.claim_for_seeds(directory.setting(name))
    record = {
        "settings": {name: serialisation.encode(each) for name, each in settings.items()},
        "seeds": seeds,
        "file": str(sweep.file.resolve()) if sweep.file else None,
        "command": sys.argv,
        "git": git_commit(),
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
    for shared, names in sharing(sweep.settings).items():
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
        file, seeds = record["file"], tuple(record["seeds"])
        encoded = serialisation.up_to_date(record["settings"])
        if not (isinstance(file, str | None) and isinstance(encoded, dict) and seeds):
            raise TypeError("file, settings and seeds are not what they should be")
        settings = {name: _experiment_of(file, each) for name, each in encoded.items()}
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


def evaluated_together(paths: Sequence[Path]) -> list[list[Path]]:
    """Groups directories: each setting of a sweep is one, the others are seeds of one experiment.

    Raises:
        RequestError: there is a sweep that has no run yet.
    """
    sweeps = [path for path in paths if SweepDirectory(path).plan.exists()]
    together = [path for path in paths if path not in sweeps]
    groups = [together] if together else []
    for sweep in sweeps:
        settings = directories(sweep)
        if not settings:
            raise RequestError(f"{sweep} has no run yet: gan-jax sweep {sweep}")
        groups += [[setting] for setting in settings]
    return groups


def only(sweep: Sweep, names: Sequence[str]) -> Sweep:
    """The same sweep with some of its settings.

    Raises:
        RequestError: there is no setting of that name.
    """
    for name in names:
        if name not in sweep.settings:
            raise RequestError(f"no setting {name} in the sweep{nearest(name, sweep.settings)}")
    return dataclasses.replace(sweep, settings={name: sweep.settings[name] for name in names})


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
        raise BusyError(
            f"another process is running the sweep in {directory.path}: wait until it has ended; "
            "--status says how far it is"
        ) from error


def sharing(settings: Mapping[str, Experiment]) -> dict[Experiment, list[str]]:
    """Names of the settings that share a program, by what they have in common."""
    found: dict[Experiment, list[str]] = {}
    for name, experiment in settings.items():
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
            f"the setting {name} of the sweep in {directory.path} was another experiment; give "
            "another --workdir, or undo (there -> now):\n  " + "\n  ".join(changed)
        )


def _refuse_other_data(
    directory: SweepDirectory, before: Mapping[str, Experiment], now: Mapping[str, Experiment]
) -> None:
    """Refuses what could never be compared, unless the sweep is about data."""
    known = {experiment.data for experiment in before.values()}
    for name, experiment in now.items():
        if len(known) == 1 and experiment.data not in known and "data" not in name:
            raise RequestError(
                f"the sweep in {directory.path} is of other data than the setting {name}, so that "
                "the two would not compare; give another --workdir"
            )


def _experiment_of(file: str | None, encoded: Any) -> Experiment:
    experiment = runs.experiment_of({"file": file, "experiment": encoded})
    if not isinstance(experiment, Experiment):
        raise TypeError(f"{experiment!r} is no experiment")
    return experiment
