"""Opening files for reading that anybody may have made: regular files that fit into memory.

Opening a FIFO waits until somebody writes into it, and reading a device may never end. Whatever the
user names, or finds in a folder or a run directory, is opened here.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from gan_jax.common.errors import RequestError
from gan_jax.common.memory import check_fits

KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
NOT_WAITING = getattr(os, "O_NONBLOCK", 0)  # for a writer of a FIFO, on systems that have them


def open_regular(path: Path | str) -> BinaryIO:
    """Opens a regular file, or a link to one, for reading.

    Raises:
        RequestError: it is a directory, FIFO, socket or device; names it.
        OSError: it is missing or may not be read.
    """
    check_regular(path)  # first, as opening a device may already do something
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | NOT_WAITING)
    try:
        _check(path, os.fstat(descriptor))  # again, as another file may be there by now
    except RequestError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def check_regular(path: Path | str) -> None:
    """Checks that a path leads to a regular file.

    Raises:
        RequestError: it is a directory, FIFO, socket or device; names it.
        OSError: it is missing.
    """
    _check(path, os.stat(path))


def read_bytes(path: Path | str) -> bytes:
    """Returns the content of a regular file; raises as `open_regular`, and if it is too large."""
    with open_regular(path) as file:
        check_fits(f"{path}: reading it", os.fstat(file.fileno()).st_size)
        return file.read()


def _check(path: Path | str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "a special file")
        raise RequestError(f"{path} is {kind}, not a regular file")
