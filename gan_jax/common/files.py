"""Files that a crash leaves either as they were or whole, and reading of others."""

import json
import os
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def write_atomically(path: Path, content: bytes) -> None:
    """Writes `content` beside `path` and then renames it into place."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Reads one JSON object a line, with an integer `step` if any; [] without a file.

    Lines are left out that are being written, or that a crash or another hand has damaged.
    """
    if not path.exists():
        return []
    found = []
    for line in path.read_text(errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and type(row.get("step", 0)) is int:
            found.append(row)
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
