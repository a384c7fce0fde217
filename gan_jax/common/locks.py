"""Locks between processes, on file systems with and without locks of their own."""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

# What file systems say that have no `flock`, some network file systems among them.
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
MARKER = ".held"  # ending of a file that is there as long as a process holds a lock

_logger = logging.getLogger(__name__)


@contextmanager
def locked(path: Path, timeout: float = -1) -> Iterator[None]:
    """Keeps other processes out of the same block.

    Where the file system has no locks, a file in the same folder marks who holds one, with a
    warning: processes on other machines that the file system does not tell apart may not see it,
    and a machine that crashes leaves it behind.

    Args:
        path: of the lock file, which is made.
        timeout: seconds to wait for another process; as long as it takes if negative.

    Raises:
        filelock.Timeout: another process has held it all the time.
        OSError: the folder cannot be written.
    """
    lock: filelock.BaseFileLock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=timeout)
    except (OSError, NotImplementedError) as error:  # the latter by older versions, for ENOSYS
        if getattr(error, "errno", errno.ENOSYS) not in WITHOUT_LOCKS:
            raise
        _logger.warning(
            "this file system has no locks (%s): files that end in %s say what is in use; remove "
            "those that a crash of a machine leaves behind",
            *(error, MARKER),
        )
        lock = filelock.SoftFileLock(path.with_name(path.name + MARKER))
        lock.acquire(timeout=timeout)
    try:
        yield
    finally:
        lock.release()
