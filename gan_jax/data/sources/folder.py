"""Folders of images, one sub-folder per class."""

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self, TypeVar

import numpy as np
import platformdirs
from jaxtyping import UInt8

from gan_jax.common.errors import RequestError, UnreadableError
from gan_jax.common.progress import announced
from gan_jax.common.validation import check_bounds, check_not_empty, check_types, nearest
from gan_jax.data.sources import classes, other_files
from gan_jax.data.sources.base import Examples, Shapes, Source
from gan_jax.data.sources.cache import Decoder, cached
from gan_jax.data.sources.decode import (
    MOST_PIXELS,
    SEVERAL,
    SUFFIXES,
    channels_of,
    fit,
    open_image,
    read_header,
)
from gan_jax.data.sources.listing import (
    TESTING,
    TRAINING,
    Listed,
    counted,
    list_files,
    refuse_split,
    warn_of_others,
)

_logger = logging.getLogger(__name__)
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Folder(Source):
    """Images of a folder, in the order of their sorted paths; SUFFIXES has their formats.

    The images in or below each sub-folder form a class. If the folder itself holds images, none of
    them has a label. Hidden files and folders are ignored, and other files are left out with a
    warning. Folders of training and of test images inside of it are refused, as they are not
    classes.

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
        listed = list_files(root, SUFFIXES)
        files = self._images(root, listed)
        warn_of_others(root, listed)
        class_names, unlabelled = self._class_names(root, files)
        examples, notes = cached(
            platformdirs.user_cache_path("gan_jax") / "images",
            slot=[str(root), size, channels],
            state=[self.most_pixels, *((file, _state(root / file)) for file in files)],
            shape=(size, size, channels),
            class_names=class_names,
            decoder=self._decoder(root, files, class_names, size, channels),
        )
        self._report(notes, len(examples.sample))
        if unlabelled:
            return replace(examples, unlabelled=unlabelled)
        return classes.of_names(examples.sample, examples.label, class_names)

    def shapes(self) -> Shapes:
        """Counts the images by the shape in their headers; those that are damaged are left out."""
        root = self._root()
        files = self._images(root, list_files(root, SUFFIXES))

        def shape(file: str) -> tuple[int, int, int] | str:
            try:
                image = read_header(root / file, self.most_pixels)
            except UnreadableError as error:
                return str(error)
            return image.height, image.width, channels_of(image)

        what = f"Reading the sizes of the images in {root}"
        found = list(announced(_in_parallel(shape, files), len(files), what))
        shapes = Shapes(each for each in found if not isinstance(each, str))
        if not shapes:
            raise _refusal(found[0])
        return shapes

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
            raise RequestError(f"path: {str(root)!r} {other_files.advice(root)}")
        names = os.listdir(root.parent) if root.parent.is_dir() else ()
        near = nearest(root.name, names)
        raise RequestError(
            f"path: there is no folder {str(root)!r}{near}; name one in the experiment's data or "
            "with --data.source.path"
        )

    def _images(self, root: Path, listed: Listed) -> list[str]:
        if not listed.files:
            others = f", but {counted(listed.others)}" if listed.others else ""
            raise RequestError(
                f"path: there is no image in {str(root)!r}{others}; right is a folder with "
                f"{', '.join(SUFFIXES)} files, in it or in one sub-folder per class"
            )
        refuse_split(self.path, listed.files)
        return listed.files

    def _class_names(self, root: Path, files: list[str]) -> tuple[tuple[str, ...], str]:
        """Returns the names of the sub-folders, or none and why they are not classes."""
        folders = {file.partition("/")[0] for file in files if "/" in file}
        beside = [file for file in files if "/" not in file]
        if not beside:
            return tuple(sorted(folders)), ""
        first = root / beside[0]
        if not folders:
            return (), f"the images lie in the folder itself ({first}), not in one for each class"
        reason = f"images lie beside the sub-folders: {first}"
        reason += f" and {len(beside) - 1} more" if len(beside) > 1 else ""
        _logger.warning("no image has a label, as %s", reason)
        return (), f"{reason}: move them into a sub-folder, or away"

    def _decoder(
        self, root: Path, files: list[str], class_names: tuple[str, ...], size: int, channels: int
    ) -> Decoder:
        several = set()

        def pixels_or_note(file: str) -> UInt8[np.ndarray, "size size channels"] | str:
            try:
                image = open_image(root / file, self.most_pixels)
            except UnreadableError as error:
                return str(error)
            if image.info.get(SEVERAL):
                several.add(file)
            return fit(image, size, channels)

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
            if several:
                which = f"{len(several)} of {len(files)} files, {root / min(several)} the first"
                _logger.warning("only the first of several images in a file is read: %s", which)

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


def _state(path: Path) -> list[int] | None:
    """Returns what changes whenever a file does; None for a missing file."""
    try:
        status = path.stat()
    except OSError:
        return None
    # The time of the last change of status catches files whose time of modification was set back,
    # and those that have become readable.
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _in_parallel(function: Callable[[str], _Result], items: list[str]) -> Iterator[_Result]:
    """Yields the function of each item, in order; in parts, so that few results are in memory."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(items), 256):
            yield from pool.map(function, items[start : start + 256])
