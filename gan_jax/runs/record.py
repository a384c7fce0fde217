"""The record of a run, `config.json`, and checks of who may start or resume in a directory."""

import contextlib
import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import jax

from gan_jax.common.errors import RequestError
from gan_jax.common.files import write_atomically
from gan_jax.common.provenance import git_commit
from gan_jax.common.reading import read_bytes
from gan_jax.experiment import Experiment
from gan_jax.runs import checkpoints, environment, places, references, serialisation, trust
from gan_jax.runs.directory import SEED_PREFIX, RunDirectory

MOST_CHANGES = 10  # that a message lists

VERSIONED = ("gan_jax", "jax", "jaxlib", "flax", "optax", "numpy", "orbax-checkpoint")
OF_A_START = ("command", "versions", "git", "devices", "environment", "sources")  # of a record
# What a record holds to tell whether data and feature network have changed, in words.
HASHES = {"data": "examples of the data", "features": "sha256 of the features"}


def make_record(experiment: Experiment, file: Path | None, init_from: Any) -> dict[str, Any]:
    """Returns what `config.json` records of a run that starts now."""
    encoded = serialisation.encode(experiment)
    return {
        "experiment": encoded,
        "init_from": init_from,
        "file": str(file.resolve()) if file else None,
        "command": sys.argv,
        "versions": {name: importlib.metadata.version(name) for name in VERSIONED}
        | {"python": platform.python_version()},
        "git": git_commit(),
        "devices": [device.device_kind for device in jax.devices()],
        "environment": environment.settings(),
        "sources": environment.sources(encoded, file),
    }


def extend_record(
    earlier: dict[str, Any] | None, record: dict[str, Any], step: int | None
) -> dict[str, Any]:
    """Returns the record of a run that resumes at `step`: with a list of how it was resumed.

    The step is None for a run that is finished, of which only where its files are may change.
    """
    if earlier is None:
        return record
    latest = {
        "experiment": record["experiment"],
        "file": record["file"] or earlier["file"],
        "init_from": record["init_from"],
    }
    if step is not None:
        now = {name: record[name] for name in OF_A_START} | {"step": step}
        latest["resumed"] = [*earlier.get("resumed", []), now]
    return earlier | latest


def write_record(directory: RunDirectory, record: dict[str, Any]) -> None:
    """Writes `config.json` atomically."""
    write_atomically(directory.config, json.dumps(record, indent=2).encode() + b"\n")


def read_record(directory: RunDirectory) -> dict[str, Any] | None:
    """Reads `config.json`; None if there is no such file.

    Raises:
        RequestError: the file is not the record of a run.
    """
    try:
        content = read_bytes(directory.config)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{directory.config} is not valid JSON: {error}") from error
    if not (
        isinstance(record, dict)
        and {"experiment", "init_from", "file"} <= record.keys()
        and isinstance(record["experiment"], dict)
        and isinstance(record["file"], str | None)
        and isinstance(record.get("class_names", []), list)
        and isinstance(record.get("fitted"), dict | None)
        and isinstance(record.get("resumed", []), list)
        and all(isinstance(start, dict) for start in record.get("resumed", []))
    ):
        raise RequestError(f"{directory.config} is not the record of a gan-jax run")
    return record | {"experiment": serialisation.up_to_date(record["experiment"])}


def read_seconds(directory: RunDirectory) -> float | None:
    """Returns the seconds that training took up to the last save; None if none are recorded."""
    try:
        return float(json.loads(read_bytes(directory.seconds))["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_divergence(directory: RunDirectory) -> str | None:
    """Returns when and why one of several seeds was stopped as diverged; None if it was not."""
    if not directory.divergence.exists():
        return None
    try:
        note = json.loads(read_bytes(directory.divergence))
        return f"at step {note['step']:,}: {note['reason']}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"at an unknown step: {directory.divergence} is damaged"


def experiment_of(record: dict[str, Any], path: Path) -> Experiment:
    """Builds the experiment that a record holds.

    Classes and functions that are not of this package come from the folder of the experiment's
    file, if the record is trusted; see `gan_jax.runs.references` and `gan_jax.runs.trust`.

    Args:
        record: what config.json or sweep.json holds.
        path: directory of that file.

    Raises:
        RequestError: the record names what it may not name, is not trusted, or does not fit.
    """
    encoded, file = record["experiment"], places.find_file(record["file"], path)
    if not isinstance(encoded, dict):
        raise RequestError(f"config.json or sweep.json holds {encoded!r:.100}, not an experiment")
    try:
        own = references.not_loaded(references.check(encoded))
    except RequestError as error:
        raise RequestError(f"config.json or sweep.json is not from gan-jax: {error}") from error
    if own:
        if not trust.is_trusted(encoded, file):
            raise RequestError(_not_trusted(own, encoded, record["file"], file))
        if file:
            serialisation.make_importable(Path(file))
    try:
        return serialisation.decode(encoded, trusted=bool(own))
    except RequestError:
        raise
    except Exception as error:  # the experiment's own modules may raise anything
        raise RequestError(
            f"the experiment of {file}, recorded in config.json or sweep.json, cannot be read: "
            f"{error!r}"
        ) from error


def _not_trusted(
    own: list[str], encoded: dict[str, Any], recorded: str | None, file: str | None
) -> str:
    """Says why a record is not opened, and what opens it."""
    needs = f"the experiment needs code that is not part of gan_jax: {', '.join(own)}"
    if file and not Path(file).is_file():
        return (
            f"{needs}, of {file}, which no longer exists, and which is not beside the run either: "
            "give its new place with --file FILE.py"
        )
    if file != recorded and trust.has_moved(encoded, recorded, file):
        return (
            f"{needs}, of {recorded}, which no longer exists; {file} has the same content: give "
            "--trust to run it from there from now on, or train it there again"
        )
    if trust.has_changed(encoded, file):
        return (
            f"{needs}, of {file}, which has changed since the run was trained here: if you changed "
            "it, give --trust; --file FILE.py runs another copy"
        )
    return (
        f"{needs}, of {file or 'an unknown file'}. Opening it would run that code, and it was not "
        "trained on this machine: read it, then give --trust to run it from there, or --file "
        "FILE.py to run another copy"
    )


def claim(
    directory: RunDirectory, record: dict[str, Any], accept_changes: bool = False
) -> dict[str, Any] | None:
    """Checks that a run may start or resume in a directory, without changing anything there.

    Args:
        directory: the run directory.
        record: of the start, see `make_record`.
        accept_changes: resume even if settings of JAX have changed that change random draws.

    Returns:
        The record of the run that is there already, or None for a new or empty directory.

    Raises:
        RequestError: the directory holds something else or a run of another experiment, or the
            run's data or feature network have changed since (their content hashes are compared if
            both records have them).
        OtherDrawsError: it would make other random draws than before.
    """
    _check_path(directory.path)
    old = read_record(directory)
    if old is None:
        if directory.seeds():
            raise RequestError(
                f"{directory.path} holds runs of several seeds; give these with --seeds"
            )
        _refuse_strangers(directory.path, "a run", (".lock", ".config"))
        return None
    for folder in (directory.checkpoints, directory.best, directory.samples, directory.tensorboard):
        if folder.exists() and not folder.is_dir():
            raise RequestError(f"{folder} is not a folder: move it away or remove it")
    changed = serialisation.differences(_init_from(old, record), record["init_from"], "init_from")
    for name, words in HASHES.items():
        if name in old and name in record:
            changed += serialisation.differences(old[name], record[name], words)
    for line in serialisation.differences(old["experiment"], record["experiment"]):
        if line.split(":")[0] not in serialisation.LENGTH_FIELDS:  # a run may be made longer
            changed.append(line)
    if changed:
        raise RequestError(
            f"the run in {directory.path} was started with another experiment; give another "
            "--workdir, or undo these changes (recorded -> now):\n  "
            + "\n  ".join(changed[:MOST_CHANGES])
            + (f"\n  and {len(changed) - MOST_CHANGES} more" if changed[MOST_CHANGES:] else "")
        )
    saved = checkpoints.steps(directory.checkpoints)
    if saved and not accept_changes:
        environment.check_draws(old, record, directory.path, saved[-1])
    return old


def length_change(earlier: dict[str, Any], record: dict[str, Any]) -> str | None:
    """Says in one line that a run is to have another length than so far; None if it is not.

    Args:
        earlier: the record of the run.
        record: that of its new start, for which `claim` has found nothing else changed.
    """
    changed = serialisation.differences(earlier["experiment"], record["experiment"])
    return f"another length (recorded -> now): {', '.join(changed)}" if changed else None


def _init_from(old: dict[str, Any], record: dict[str, Any]) -> Any:
    """What a run was started from, which may have moved together with the run."""
    before, now = old["init_from"], record["init_from"]
    if isinstance(before, dict) and isinstance(now, dict):
        was, now_at = Path(str(before.get("run"))), Path(now["run"])
        if was.name == now_at.name and not was.exists():
            return before | {"run": now["run"]}
    return before


def claim_for_seeds(directory: RunDirectory) -> None:
    """Checks that runs of several seeds may start or resume in a directory.

    Raises:
        RequestError: the directory holds a run of one seed, or something else.
    """
    _check_path(directory.path)
    if read_record(directory) is not None:
        raise RequestError(
            f"{directory.path} holds a run of one seed; give another --workdir for several seeds"
        )
    known = (".", SEED_PREFIX, directory.failure.name)
    _refuse_strangers(directory.path, "runs of seeds", known)


def _check_path(path: Path) -> None:
    """Checks that Python and TensorStore, which takes UTF-8, mean the same folder by a path.

    Raises:
        RequestError: they do not.
    """
    absolute = str(path.absolute())
    with contextlib.suppress(UnicodeEncodeError):
        if os.fsencode(absolute) == absolute.encode():
            return
    raise RequestError(
        f"workdir {path}: checkpoints need a path in UTF-8, and Python reads the names of files as "
        f"{sys.getfilesystemencoding()} here: set PYTHONUTF8=1, or give a path in plain letters"
    )


def _refuse_strangers(path: Path, what: str, prefixes: tuple[str, ...]) -> None:
    if path.exists() and not path.is_dir():
        raise RequestError(f"workdir {path} is a file, not a directory")
    names = sorted(inner.name for inner in path.iterdir()) if path.is_dir() else []
    strangers = [name for name in names if not name.startswith(prefixes)]
    if strangers:
        raise RequestError(
            f"workdir {path} holds something other than {what} ({', '.join(strangers[:3])}); "
            "give an empty or new --workdir"
        )
