"""Folders of PNG and JPEG images, one sub-folder per class."""

import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
import platformdirs
from jaxtyping import UInt8

from gan_jax.common.errors import RequestError
from gan_jax.common.progress import announced
from gan_jax.common.validation import check_bounds, check_not_empty, check_types, nearest
from gan_jax.data.sources.base import Examples, Source
from gan_jax.data.sources.cache import Decoder, cached
from gan_jax.data.sources.decode import MOST_PIXELS, UnreadableError, fit, open_image

TRAINING, TESTING = "train", ("test", "valid", "val")  # folders of a data set with a split
SUFFIXES = (".png", ".jpg", ".jpeg")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Folder(Source):
    """PNG and JPEG images of a folder, in the order of their sorted paths.

    The images in or below each sub-folder form a class. If the folder itself holds images, none of
    them has a label. Hidden files and folders are ignored.

    Attributes:
        path: the folder.
        corrupt: what to do about a file that cannot be read as an image: 'skip' leaves it out
            with a warning that names it, 'refuse' raises RequestError.
        most_pixels: an image with more pixels counts as one that cannot be read, and is not
            decoded.
    """

    path: str
    corrupt: Literal["skip", "refuse"] = "skip"
    most_pixels: int = MOST_PIXELS

    def __post_init__(self):
        check_types(self)
        check_not_empty(self, "path")
        check_bounds(self, "most_pixels", at_least=1)

    def examples(self, size: int, channels: int) -> Examples:
        """Returns the images and, where they lie in sub-folders, their labels."""
        root = self._root()
        files = image_files(root)
        if not files:
            raise RequestError(
                f"path: there is no image in {str(root)!r}; right is a folder with "
                f"{', '.join(SUFFIXES)} files, in it or in one sub-folder per class"
            )
        folders = {file.partition("/")[0] if "/" in file else "" for file in files}
        class_names = () if "" in folders else tuple(sorted(folders))
        examples, notes = cached(
            platformdirs.user_cache_path("gan_jax") / "images",
            slot=[str(root), size, channels],
            state=[self.most_pixels, *((file, _state(root / file)) for file in files)],
            shape=(size, size, channels),
            class_names=class_names,
            decoder=self._decoder(root, files, class_names, size, channels),
        )
        self._report(notes, len(examples.sample))
        return examples

    def held_out(self) -> Self | None:
        """Returns the folder 'test', 'valid' or 'val' next to a folder named 'train'."""
        root = Path(self.path).expanduser().absolute()
        beside = [root.with_name(name) for name in TESTING]
        there = [folder for folder in beside if root.name == TRAINING and folder.is_dir()]
        return replace(self, path=str(there[0])) if there else None

    def _root(self) -> Path:
        root = Path(self.path).expanduser().absolute()
        if root.is_dir():
            return root
        if root.exists():
            raise RequestError(f"path: {str(root)!r} is a file; give a folder of images")
        names = os.listdir(root.parent) if root.parent.is_dir() else ()
        near = nearest(root.name, names)
        raise RequestError(
            f"path: there is no folder {str(root)!r}{near}; name one in the experiment's data or "
            "with --data.source.path"
        )

    def _decoder(
        self, root: Path, files: list[str], class_names: tuple[str, ...], size: int, channels: int
    ) -> Decoder:
        def pixels_or_note(file: str) -> UInt8[np.ndarray, "size size channels"] | str:
            try:
                return fit(open_image(root / file, self.most_pixels), size, channels)
            except UnreadableError as error:
                return str(error)

        def decode(
            notes: list[str],
        ) -> Iterator[tuple[UInt8[np.ndarray, "size size channels"], int]]:
            decoded = _in_parallel(pixels_or_note, files)
            decoded = announced(decoded, len(files), f"Decoding the images in {root}")
            for file, result in zip(files, decoded, strict=True):
                if not isinstance(result, str):
                    name = file.partition("/")[0]
                    yield result, class_names.index(name) if class_names else 0
                elif self.corrupt == "refuse":
                    raise _refusal(result)
                else:
                    notes.append(result)

        return decode

    def _report(self, notes: list[str], kept: int) -> None:
        if notes and (self.corrupt == "refuse" or not kept):
            raise _refusal(notes[0])
        for note in notes:
            _logger.warning("skipped an unreadable image: %s", note)


def _refusal(note: str) -> RequestError:
    return RequestError(
        f"path: unreadable image {note}; repair or remove it, or leave such files out with "
        "corrupt='skip'"
    )


def image_files(root: Path) -> list[str]:
    """Returns the paths of all images below a folder, relative to it, with '/', sorted.

    Hidden files and folders are left out.

    Raises:
        RequestError: a folder cannot be read.
    """
    files = []
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
            images = [name for name in names if _is_image(name)]
            files += [Path(folder, name).relative_to(root).as_posix() for name in images]
    except OSError as error:
        raise RequestError(f"path: {str(root)!r} cannot be read: {error}") from error
    return sorted(files)


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _raise(error: OSError) -> None:
    raise error


def _state(path: Path) -> list[int] | None:
    """Returns what changes whenever a file does; None for a missing file."""
    try:
        status = path.stat()
    except OSError:
        return None
    # The time of the last change of status catches files whose time of modification was set back,
    # and those that have become readable.
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _in_parallel(function, items: list[str]) -> Iterator:
    """Yields the function of each item, in order; in parts, so that few results are in memory."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(items), 256):
            yield from pool.map(function, items[start : start + 256])
