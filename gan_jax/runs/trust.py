"""Which records with code of the user's own are trusted: those that were trained on this machine.

What is trusted is an experiment together with the place and the content of its file. For each there
is a file in the user's state directory, where no run directory can put one: its name is a hash of
experiment and place, and it holds a hash of the content.
"""

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs

from gan_jax.common.errors import RequestError
from gan_jax.common.files import write_atomically
from gan_jax.common.reading import read_bytes
from gan_jax.runs import places, references, serialisation
from gan_jax.runs.directory import CONFIG, CONFIGURATIONS, SWEEP

VARYING = ("seed", "steps", "epochs")  # fields that differ between runs of the same code

# The same for this process, also where the state directory cannot be written.
_trusted: dict[str, str] = {}

_logger = logging.getLogger(__name__)


def remember(encoded: dict[str, Any], file: str | None) -> None:
    """Trusts a record from now on, if it names code of the user's own.

    Args:
        encoded: an experiment, as `serialisation.encode` returns it.
        file: the Python file that defines it.
    """
    if not references.check(encoded):
        return
    path, content = _path(encoded, file), _content(file)
    _trusted[path.name] = content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content.encode())
    except OSError as error:
        _logger.warning("to open this run again will take --trust: %s", error)


def trust_directory(path: Path) -> list[str]:
    """Trusts what lies in a directory: a run, the runs of several seeds, or a sweep.

    Returns:
        What is trusted now: a line for each file that opening the directory will run code of.

    Raises:
        RequestError: such a file is not there.
    """
    named: dict[str | None, list[str]] = {}
    found = [(file, serialisation.up_to_date(encoded)) for file, encoded in _experiments(path)]
    for file, encoded in found:
        named.setdefault(file, []).extend(references.check(encoded))
    for file, own in named.items():
        if own and file and not Path(file).is_file():
            raise RequestError(
                f"{file} no longer exists, and is not beside the run either: give its new place "
                "with --file FILE.py"
            )
    for file, encoded in found:
        remember(encoded, file)
    return [
        f"trusted from now on: {', '.join(dict.fromkeys(own))}, of {file or 'an unknown file'}"
        for file, own in named.items()
        if own
    ]


def _experiments(path: Path) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """The experiments recorded in a directory and those in it, and the file of each.

    Damaged records are left out; opening them says what is wrong with them.
    """
    for pattern in (CONFIG, SWEEP, f"*/{CONFIG}", f"*/*/{CONFIG}"):
        for found in sorted(path.glob(pattern)):
            record: Any = None
            with contextlib.suppress(OSError, ValueError, RecursionError):
                record = json.loads(read_bytes(found))
            if not isinstance(record, dict) or not isinstance(record.get("file"), str | None):
                continue
            planned = record.get(CONFIGURATIONS)
            many = planned.values() if isinstance(planned, dict) else [record.get("experiment")]
            for encoded in many:
                if isinstance(encoded, dict):
                    yield places.find_file(record.get("file"), found.parent), encoded


def is_trusted(encoded: dict[str, Any], file: str | None) -> bool:
    """Whether a record, with this very experiment and file, was trusted before."""
    return _remembered(encoded, file) == _content(file)


def has_changed(encoded: dict[str, Any], file: str | None) -> bool:
    """Whether a record was trusted with another content of its file."""
    return _remembered(encoded, file) not in (None, _content(file))


def has_moved(encoded: dict[str, Any], old: str | None, new: str | None) -> bool:
    """Whether a record was trusted with its file at another place, and with the same content."""
    return _remembered(encoded, old) == _content(new) != _content(None)


def _remembered(encoded: dict[str, Any], file: str | None) -> str | None:
    path = _path(encoded, file)
    try:
        return _trusted.get(path.name) or path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _content(file: str | None) -> str:
    if file is None or not Path(file).is_file():
        return "no file"
    return hashlib.sha256(read_bytes(file)).hexdigest()


def _path(encoded: dict[str, Any], file: str | None) -> Path:
    fixed = {
        name: value
        for name, value in encoded.items()
        if name not in VARYING or not isinstance(value, int | None)
    }
    digest = hashlib.sha256(json.dumps([fixed, file], sort_keys=True).encode()).hexdigest()
    return platformdirs.user_state_path("gan_jax") / "trusted" / digest
