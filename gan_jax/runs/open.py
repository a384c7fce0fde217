"""Opening a run: its experiment, and the train state of one of its checkpoints."""

import dataclasses
import sys
from pathlib import Path
from typing import Any, Literal

import jax

from gan_jax import gan
from gan_jax.common.errors import RequestError
from gan_jax.common.validation import nearest
from gan_jax.data.dataset import in_short
from gan_jax.experiment import Experiment
from gan_jax.runs import checkpoints
from gan_jax.runs.directory import CONFIG, SWEEP, RunDirectory
from gan_jax.runs.record import experiment_of, read_record
from gan_jax.runtime import devices

Step = int | Literal["best", "latest"]  # of a checkpoint
ATTEMPTS = 3  # at listing and loading: a run in training replaces old checkpoints by new ones


@dataclasses.dataclass(frozen=True)
class Run:
    """A run: its experiment and the train state of one of its checkpoints.

    Attributes:
        directory: where the run is.
        experiment: what it trains.
        state: the train state, on this process's first device.
        record: what `config.json` holds.
    """

    directory: RunDirectory
    experiment: Experiment
    state: gan.GANState
    record: dict[str, Any] = dataclasses.field(repr=False)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes that it was trained on, for which the data need not be there.

        They are not in the records of earlier versions; then those of the data as they are now.
        """
        recorded = self.record.get("class_names")
        return self.experiment.data.class_names if recorded is None else tuple(map(str, recorded))


def load(path: Path | str, step: Step = "latest") -> Run:
    """Opens a run and loads one of its checkpoints.

    Args:
        path: the run directory, of one seed.
        step: the step of the checkpoint, "latest", or "best" for the one with the best value of the
            experiment's `best_metric`. Instead of a damaged latest checkpoint the one before it is
            loaded, with a warning.

    Raises:
        RequestError: there is no run, or it has no intact checkpoint of that step.
    """
    directory, record = RunDirectory(Path(path)), require_record(path)
    experiment = _with_fitted(experiment_of(record, Path(path)), record, directory)
    best = step == "best"
    folder = directory.best if best else directory.checkpoints
    saved = checkpoints.steps(folder)
    if best and not saved:
        kept = "only runs with evaluate_every, and a best_metric that can be measured, keep one"
        raise RequestError(f"no best checkpoint in {path}: {kept}")
    if not saved or (isinstance(step, int) and step not in saved):
        have = f"there are {', '.join(map(str, saved))}" if saved else "there is none yet"
        wanted = f"checkpoint of step {step}" if isinstance(step, int) else "checkpoint"
        raise RequestError(f"no {wanted} in {path}: {have}")
    try:
        template = abstract_state(experiment, devices.for_checkpoints())
    except RequestError:
        raise
    except Exception as error:  # the experiment's own networks and optimizers may raise anything
        raise RequestError(f"the experiment of {path} cannot be built: {error!r}") from error
    said = set()
    for _ in range(ATTEMPTS):
        saved = [step] if isinstance(step, int) else checkpoints.steps(folder)
        for candidate in reversed(saved):
            try:
                state = devices.own_copy(checkpoints.load(folder, candidate, template))
            except checkpoints.DamagedError as error:
                if (folder / str(candidate)).exists() and candidate not in said:
                    said.add(candidate)
                    print(f"warning: checkpoint damaged: {error}", file=sys.stderr)
                continue
            return Run(directory, experiment, state, record)
    raise RequestError(f"no intact checkpoint in {folder}")


def open_directory(path: Path | str) -> tuple[RunDirectory, Experiment]:
    """Opens a run without loading a checkpoint.

    Raises:
        RequestError: there is no run, or its experiment cannot be built any more.
    """
    return RunDirectory(Path(path)), experiment_of(require_record(path), Path(path))


def _with_fitted(
    experiment: Experiment, record: dict[str, Any], directory: RunDirectory
) -> Experiment:
    """Gives the data what was fitted to them when the run was trained, if that is recorded."""
    if record.get("fitted") is None:
        return experiment
    try:
        data = experiment.data.with_fitted(record["fitted"])
    except Exception as error:  # data may be the user's own, and the file somebody else's
        raise RequestError(f"{directory.config}: fitted: {error}") from error
    return dataclasses.replace(experiment, data=data)


def check_fitted(run: Run) -> None:
    """Checks that samples can be written and read as those of the data that a run was trained on.

    What that takes is in its record, so that the data need not be there. Earlier versions did not
    record it: then the data must be there, and be the same.

    Raises:
        RequestError: it is not recorded, and the data have changed, or are missing.
    """
    if run.record.get("fitted") is None and run.experiment.data.fitted() is not None:
        check_data(run)


def check_data(run: Run) -> None:
    """Checks that the examples of a run's data are those that it was trained on.

    Raises:
        RequestError: they have changed, or are missing.
    """
    now, then = run.experiment.data.fingerprint(), run.record.get("data")
    if now != then:
        raise RequestError(f"the examples of the data have changed since training: {then} -> {now}")


def require_record(path: Path | str) -> dict[str, Any]:
    """Returns what `config.json` holds, without building the experiment.

    Raises:
        RequestError: there is no run.
    """
    directory = RunDirectory(Path(path))
    record = read_record(directory)
    if record is not None:
        return record
    if (directory.path / SWEEP).exists():
        raise RequestError(f"{path} holds a sweep: give the run of one configuration, {path}/NAME")
    above = directory.path.absolute().parent
    if not directory.path.exists():
        beside = [found.parent.name for found in above.glob(f"*/{CONFIG}")]
        hint = nearest(directory.path.name, beside)
        raise RequestError(f"no run in {path}: there is no such directory{hint}")
    inside = sorted(found.parent.name for found in directory.path.glob(f"*/{CONFIG}"))
    hint = f"; runs in it: {in_short(inside)}" if inside else ""
    raise RequestError(
        f"no run in {path}: it has no config.json, which `gan-jax train` writes{hint}"
    )


def one_seed(path: Path, seed: int | None) -> Path:
    """Returns the run of one seed, given its directory or a directory of several seeds.

    Args:
        path: a run directory, or a directory of several seeds.
        seed: which seed; None if there is only one.

    Raises:
        RequestError: there is no such seed, or there are several and `seed` is None.
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
    """Returns the runs of all seeds in a directory, or of one seed.

    Raises:
        RequestError: there is no such seed.
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
    """Returns the train state of an experiment as shapes, dtypes and shardings, without arrays.

    Args:
        experiment: the experiment.
        sharding: sharding of every leaf.
        seeds: size of a leading seed axis; None for a state without one.
    """
    shapes = jax.eval_shape(lambda: gan.init(experiment, 0))
    leading = () if seeds is None else (seeds,)
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((*leading, *leaf.shape), leaf.dtype, sharding=sharding),
        shapes,
    )
