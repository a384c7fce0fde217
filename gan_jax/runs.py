"""Run directories: what lies where, what a run was started with, and opening one again."""

import dataclasses
import importlib.metadata
import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import jax

from gan_jax import checkpoints, config, devices, gan
from gan_jax.errors import RequestError
from gan_jax.experiment import Experiment
from gan_jax.files import write_atomically

VERSIONED = ("gan_jax", "jax", "jaxlib", "flax", "optax", "numpy", "orbax-checkpoint")
SWEEP = "sweep.json"  # the plan of a sweep, in its directory
SEED_PREFIX = "seed_"  # of the runs in a directory of several seeds
Step = int | Literal["best", "latest"]  # of a checkpoint
LOOKS = 3  # at the checkpoints: a run that is training replaces old ones by new ones
READ = {"data": "examples of the data", "features": "sha256 of the features"}  # in a record


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """Where the files of a run are."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved experiment, where it came from, and the versions it ran with."""
        return self.path / "config.json"

    @property
    def metrics(self) -> Path:
        """One JSON object a line: step, seed, then named scalars."""
        return self.path / "metrics.jsonl"

    @property
    def evaluation(self) -> Path:
        """One JSON object a line: one metric of one step, see `evaluation.lines`."""
        return self.path / "evaluation.jsonl"

    @property
    def divergence(self) -> Path:
        """The step at which one of several seeds diverged, and how it showed; {step, reason}."""
        return self.path / "diverged.json"

    @property
    def failure(self) -> Path:
        """Why a setting of a sweep could not be trained; {reason, traceback}."""
        return self.path / "failed.json"

    @property
    def seconds(self) -> Path:
        """How long training took up to the last save: {step, seconds}.

        Of runs that train in one program each has its equal share.
        """
        return self.path / "seconds.json"

    @property
    def log(self) -> Path:
        """What was said on the terminal, with times."""
        return self.path / "log.txt"

    @property
    def checkpoints(self) -> Path:
        """One folder for each saved step."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The checkpoint with the best value of the experiment's best_metric, as <step>/."""
        return self.path / "best"

    @property
    def samples(self) -> Path:
        """Pictures of what the generator makes."""
        return self.path / "samples"

    @property
    def final_picture(self) -> Path:
        """A grid of 4 x 4 samples of the trained generator."""
        return self.samples / "final.png"

    @property
    def film_strip(self) -> Path:
        """How the samples of eight fixed latents changed over training, with steps below."""
        return self.samples / "film_strip.png"

    def step_picture(self, step: int) -> Path:
        """The grid of samples from fixed latents at one step."""
        return self.samples / f"step_{step}.png"

    def step_pictures(self) -> dict[int, Path]:
        """All grids that are there, by step and in order."""
        steps = {p.stem.removeprefix("step_"): p for p in self.samples.glob("step_*.png")}
        return dict(sorted((int(step), p) for step, p in steps.items() if step.isdecimal()))

    def of_seed(self, seed: int) -> "RunDirectory":
        """Where one of several seeds that are trained together has its run."""
        return RunDirectory(self.path / f"{SEED_PREFIX}{seed}")

    def seeds(self) -> list[int]:
        """The seeds that have a run of their own in here."""
        names = [path.parent.name for path in self.path.glob(f"{SEED_PREFIX}*/config.json")]
        numbers = [name.removeprefix(SEED_PREFIX) for name in names]
        return sorted(int(number) for number in numbers if number.isdecimal())

    @property
    def lock(self) -> Path:
        """Held while a process trains here."""
        return self.path / ".lock"


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


def make_record(experiment: Experiment, file: Path | None, init_from: Any) -> dict[str, Any]:
    """What `config.json` holds of a run that starts now."""
    return {
        "experiment": config.encode(experiment),
        "init_from": init_from,
        "file": str(file.resolve()) if file else None,
        "command": sys.argv,
        "versions": {name: importlib.metadata.version(name) for name in VERSIONED}
        | {"python": platform.python_version()},
        "git": git_commit(),
        "devices": [device.device_kind for device in jax.devices()],
    }


def extend_record(earlier: dict[str, Any] | None, record: dict[str, Any]) -> dict[str, Any]:
    """The record of a run that goes on: how it began, and a list of how it was resumed."""
    if earlier is None:
        return record
    now = {name: record[name] for name in ("command", "versions", "git", "devices")}
    resumed = [*earlier.get("resumed", []), now]
    return earlier | {"experiment": record["experiment"], "resumed": resumed}


def write_record(directory: RunDirectory, record: dict[str, Any]) -> None:
    """Writes `config.json`, whole or not at all."""
    write_atomically(directory.config, json.dumps(record, indent=2).encode() + b"\n")


def read_record(directory: RunDirectory) -> dict[str, Any] | None:
    """Reads `config.json`; None where there is no such file.

    Raises:
        RequestError: the file is there and is not the record of a run.
    """
    try:
        record = json.loads(directory.config.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise RequestError(f"{directory.config} is no JSON: {error}") from error
    if not isinstance(record, dict) or not {"experiment", "init_from", "file"} <= record.keys():
        raise RequestError(f"{directory.config} is not the record of a gan-jax run")
    return record


def read_seconds(directory: RunDirectory) -> float | None:
    """How long training took up to the last save; None where nobody has written it."""
    try:
        return float(json.loads(directory.seconds.read_bytes())["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_divergence(directory: RunDirectory) -> str | None:
    """When and why one of several seeds was given up, in words; None where it was not."""
    if not directory.divergence.exists():
        return None
    try:
        note = json.loads(directory.divergence.read_bytes())
        return f"at step {note['step']:,}: {note['reason']}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"at an unknown step: {directory.divergence} is damaged"


def experiment_of(record: dict[str, Any]) -> Experiment:
    """Builds the experiment that a record holds; its own classes come from its file's folder."""
    if record["file"] and (folder := str(Path(record["file"]).parent)) not in sys.path:
        sys.path.insert(0, folder)
    try:
        return config.decode(record["experiment"])
    except RequestError:
        raise
    except Exception as error:  # whatever the experiment's own modules raise
        raise RequestError(
            f"an experiment in config.json or sweep.json, of {record['file']}, cannot be read: "
            f"{error!r}"
        ) from error


def claim(directory: RunDirectory, record: dict[str, Any]) -> dict[str, Any] | None:
    """Checks that a run may start or go on in a directory, and changes nothing there.

    Returns:
        The record of the run that is there already, or None for a new or empty directory.

    Raises:
        RequestError: something else is there, or a run with another experiment, or the run's data
            or feature network have changed since (compared once both records have them).
    """
    old = read_record(directory)
    if old is None:
        if directory.seeds():
            raise RequestError(
                f"{directory.path} holds runs of several seeds; give them as --seeds"
            )
        _refuse_strangers(directory.path, "a run", (".lock", ".config"))
        return None
    changed = config.differences(old["init_from"], record["init_from"], "init_from")
    for name, words in READ.items():
        if name in old and name in record:
            changed += config.differences(old[name], record[name], words)
    for line in config.differences(old["experiment"], record["experiment"]):
        if line.split(":")[0] not in config.LENGTH_FIELDS:  # what a resumed run may change
            changed.append(line)
    if changed:
        raise RequestError(
            f"the run in {directory.path} was started with another experiment; "
            "give another --workdir, or undo (there -> now):\n  " + "\n  ".join(changed)
        )
    return old


def claim_for_seeds(directory: RunDirectory) -> None:
    """Checks that runs of several seeds may start or go on in a directory.

    Raises:
        RequestError: there is a run of one seed, or something else.
    """
    if read_record(directory) is not None:
        raise RequestError(
            f"{directory.path} is the run of one seed; give another --workdir for several"
        )
    known = (".", SEED_PREFIX, directory.failure.name)
    _refuse_strangers(directory.path, "runs of seeds", known)


def _refuse_strangers(path: Path, what: str, prefixes: tuple[str, ...]) -> None:
    if path.exists() and not path.is_dir():
        raise RequestError(f"workdir {path} is a file, no directory")
    names = sorted(inner.name for inner in path.iterdir()) if path.is_dir() else []
    strangers = [name for name in names if not name.startswith(prefixes)]
    if strangers:
        raise RequestError(
            f"workdir {path} holds something else than {what} ({', '.join(strangers[:3])}); "
            "give an empty or new --workdir"
        )


def git_commit() -> str | None:
    """Commit of the package's source, with '-dirty' where it was changed; None outside git."""
    command = [
        "git",
        "-C",
        str(Path(__file__).parent),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
    ]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
