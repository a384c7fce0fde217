"""Opening a run again: its experiment, and the train state of one of its checkpoints."""

import dataclasses
import sys
from pathlib import Path
from typing import Literal

import jax

from gan_jax import gan
from gan_jax.common.errors import RequestError
from gan_jax.experiment import Experiment
from gan_jax.runs import checkpoints
from gan_jax.runs.directory import SWEEP, RunDirectory
from gan_jax.runs.record import experiment_of, read_record
from gan_jax.runtime import devices

Step = int | Literal["best", "latest"]  # of a checkpoint


LOOKS = 3  # at the checkpoints: a run that is training replaces old ones by new ones


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained run: its experiment and the train state of one of its checkpoints."""

    directory: RunDirectory
    experiment: Experiment
    state: gan.GANState


def load(path: Path | str, step: Step = "latest") -> Run:
    """Opens a run directory: its experiment, and the state of one of its checkpoints.

    Raises:
        RequestError: no run there, no checkpoint yet, none of that step, or no best one.
    """
    directory, experiment = open_directory(path)
    best = step == "best"
    folder = directory.best if best else directory.checkpoints
    saved = checkpoints.steps(folder)
    if best and not saved:
        raise RequestError(f"no best checkpoint in {path}: a run with evaluate_every keeps one")
    if not saved or (isinstance(step, int) and step not in saved):
        have = f"there are {', '.join(map(str, saved))}" if saved else "there is none yet"
        wanted = f"checkpoint of step {step}" if isinstance(step, int) else "checkpoint"
        raise RequestError(f"no {wanted} in {path}: {have}")
    template = abstract_state(experiment, devices.for_checkpoints())
    said = set()
    for _ in range(LOOKS):
        saved = [step] if isinstance(step, int) else checkpoints.steps(folder)
        for candidate in reversed(saved):
            try:
                state = devices.own_copy(checkpoints.load(folder, candidate, template))
            except checkpoints.DamagedError as error:
                if (folder / str(candidate)).exists() and candidate not in said:
                    said.add(candidate)
                    print(f"warning: checkpoint damaged: {error}", file=sys.stderr)
                continue
            return Run(directory, experiment, state)
    raise RequestError(f"no intact checkpoint in {folder}")


def open_directory(path: Path | str) -> tuple[RunDirectory, Experiment]:
    """Opens a run directory without its checkpoints.

    Raises:
        RequestError: no run there.
    """
    directory = RunDirectory(Path(path))
    record = read_record(directory)
    if record is not None:
        return directory, experiment_of(record)
    if (directory.path / SWEEP).exists():
        raise RequestError(f"{path} holds a sweep: name one of its settings, {path}/SETTING")
    if not directory.path.exists():
        raise RequestError(f"no run in {path}: there is no such directory")
    raise RequestError(f"no run in {path}: it has no config.json; `gan-jax train` makes one")


def one_seed(path: Path, seed: int | None) -> Path:
    """The run of one seed in a directory of several; a run of one seed is itself.

    Raises:
        RequestError: that seed is not there, or there are several and none is named.
    """
    directory = RunDirectory(path)
    there = directory.seeds()
    if directory.config.exists() or not there:
        _, experiment = open_directory(path)
        there, found = [experiment.seed], path
    else:
        if seed is None and len(there) > 1:
            raise RequestError(f"{path} holds the seeds {_listed(there)}: choose one with --seed")
        found = directory.of_seed(there[0] if seed is None else seed).path
    if seed not in (None, *there):
        raise RequestError(f"--seed {seed}: {path} has seed {_listed(there)}")
    return found


def all_seeds(path: Path, seed: int | None = None) -> list[Path]:
    """The runs of all seeds in a directory, or of the one that is named.

    Raises:
        RequestError: that seed is not there.
    """
    directory = RunDirectory(path)
    if seed is not None or directory.config.exists() or not directory.seeds():
        return [one_seed(path, seed)]
    return [directory.of_seed(number).path for number in directory.seeds()]


def _listed(seeds: list[int]) -> str:
    return ", ".join(map(str, seeds))


def abstract_state(
    experiment: Experiment, sharding: jax.sharding.Sharding, seeds: int | None = None
) -> gan.GANState:
    """Shapes and types of the experiment's train state, each leaf with the given sharding.

    Args:
        experiment: what the run is.
        sharding: of each leaf.
        seeds: size of an axis in front; None where there is none.
    """
    shapes = jax.eval_shape(lambda: gan.init(experiment, 0))
    front = () if seeds is None else (seeds,)
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((*front, *leaf.shape), leaf.dtype, sharding=sharding),
        shapes,
    )
