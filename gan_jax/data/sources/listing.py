"""The files of a folder: those that are examples, and what else is there."""

import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gan_jax.common.errors import RequestError

TRAINING, TESTING = "train", ("test", "valid", "val")  # folders of a data set with a split
# The same as they are written elsewhere, in lower case: together they are a split, not two classes.
ALL_TRAINING = {TRAINING, "training"}
ALL_TESTING = {*TESTING, "testing", "validation"}

_logger = logging.getLogger(__name__)


class Listed(NamedTuple):
    """The files of a folder.

    Attributes:
        files: paths of those with the right endings, relative to the folder, with '/', sorted.
        others: how many other files there are of each suffix, in lower case.
    """

    files: list[str]
    others: Counter[str]


def list_files(root: Path, suffixes: Sequence[str]) -> Listed:
    """Lists the files in and below a folder that end in one of `suffixes`, and counts the others.

    Hidden files and folders are left out.

    Raises:
        RequestError: a folder cannot be read.
    """
    files = []
    others: Counter[str] = Counter()
    seen = set()
    try:
        for folder, subfolders, names in os.walk(root, followlinks=True, onerror=_raise):
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            # Links are followed, and a link to a folder above itself would never end.
            real = os.path.realpath(folder)
            if real in seen:
                subfolders.clear()
                continue
            seen.add(real)
            for name in (each for each in names if not each.startswith(".")):
                suffix = os.path.splitext(name)[1].lower()
                if suffix in suffixes:
                    files.append(Path(folder, name).relative_to(root).as_posix())
                else:
                    others[suffix] += 1
    except OSError as error:
        raise RequestError(f"path: {str(root)!r} cannot be read: {error}") from error
    return Listed(sorted(files), others)


def warn_of_others(root: Path, listed: Listed) -> None:
    """Warns of files that are left out, as they do not have the right endings."""
    if listed.others:
        count = sum(listed.others.values())
        files = "file was" if count == 1 else "files were"
        _logger.warning("%s: %d %s left out: %s", root, count, files, counted(listed.others))


def expanded(paths: Sequence[Path], suffixes: Sequence[str], what: str) -> list[Path]:
    """Returns files, and those of folders that end in one of `suffixes`.

    Args:
        paths: files and folders.
        suffixes: of the files in folders.
        what: these files are, for messages: 'image' for example.

    Raises:
        RequestError: there is no such file in a folder.
    """
    files = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        listed = list_files(path, suffixes)
        if not listed.files:
            kinds = ", ".join(suffixes)
            raise RequestError(f"there is no {what} in {str(path)!r}, no {kinds} file")
        warn_of_others(path, listed)
        files += [path / name for name in listed.files]
    return files


def counted(others: Counter[str]) -> str:
    """Returns the suffixes of files in words, with how many there are, the most frequent first."""
    most_first = sorted(others.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{suffix or 'no suffix'} ({n})" for suffix, n in most_first)


def refuse_split(path: str, files: list[str]) -> None:
    """Checks that no folder of training files lies beside one of test files: these are not classes.

    Raises:
        RequestError: some do; names the folder to give instead.
    """
    folders = {parent for file in files for parent in Path(file).parents}
    for folder in sorted(each for each in folders if each.name.lower() in ALL_TRAINING):
        beside = {other.name.lower() for other in folders if other.parent == folder.parent}
        if beside & ALL_TESTING:
            above = Path(path, folder.parent)
            raise RequestError(
                f"path: {str(above)!r} holds training and test files in folders of their own; "
                f"give a folder of training files alone, {str(Path(path, folder))!r} for example"
            )


def _raise(error: OSError) -> None:
    raise error
