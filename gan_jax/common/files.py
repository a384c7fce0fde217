"""Writing files atomically, and reading files that may be damaged."""

import json
import logging
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from gan_jax.common.reading import check_regular, read_bytes

_logger = logging.getLogger(__name__)


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that a crash leaves the old one or the new one, never a part."""
    with open_atomically(path) as file:
        file.write(content)


@contextmanager
def open_atomically(path: Path) -> Iterator[BinaryIO]:
    """Opens a file to write to, which takes the place of the old one when the block has ended.

    It is a temporary file in the same folder, which is then renamed; after an error it is gone.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def followed(path: Path) -> Path:
    """Returns what a path of the user's leads to, over symbolic links, for a file to be put there.

    `write_atomically` replaces a link, as it must in a run directory, which anybody may have made.

    Raises:
        RequestError: a FIFO, socket or device is there, in whose place no file can be put.
    """
    if path.exists() and not path.is_dir():
        check_regular(path)
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def remove_temporary(folder: Path, name: str = "") -> None:
    """Removes what a killed process has left of the functions of this module in a folder.

    The caller sees to it that no other process is writing there.

    Args:
        folder: need not exist.
        name: of the file that was to be written; all if empty.
    """
    pattern = re.compile(rf"\.({re.escape(name) if name else '.*'}\.)?[0-9a-f]{{32}}")
    for path in folder.iterdir() if folder.is_dir() else ():
        if pattern.fullmatch(path.name):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Reads a file of one JSON object a line; [] if there is no such file.

    Lines that are not JSON objects, or whose `step` is not an integer, are left out, with a warning
    where it is not only the last one: that may be incomplete, as another process is writing it.

    Raises:
        RequestError: it is not a regular file.
    """
    if not path.exists():
        return []
    found, text = [], read_bytes(path).decode(errors="replace")
    lines = text.splitlines()
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and type(row.get("step", 0)) is int:
            found.append(row)
    complete = len(lines) - (not text.endswith("\n"))
    if len(found) < complete:
        _logger.warning("%s: damaged lines are left out (%d)", path, complete - len(found))
    return found


def write_folder_atomically(folder: Path, contents: Iterable[tuple[str, bytes]]) -> None:
    """Writes files, given by name and content, beside `folder`, and then renames it into place.

    Raises:
        OSError: `folder` holds files already, or cannot be written.
    """
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    temporary.mkdir()
    try:
        for name, content in contents:
            (temporary / name).write_bytes(content)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
