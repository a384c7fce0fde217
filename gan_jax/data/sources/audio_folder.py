"""Folders of recordings: read, mixed to one channel, resampled, and cut or filled to one length."""

import functools
import logging
import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
from jaxtyping import Float64, Int16, Int32

from gan_jax.common.errors import RequestError
from gan_jax.common.memory import check_fits
from gan_jax.common.progress import announced
from gan_jax.common.validation import check_bounds, check_not_empty, check_types, nearest
from gan_jax.data.sources.listing import counted, list_files, warn_of_others
from gan_jax.data.sources.name_parts import in_order, parse, parts_of
from gan_jax.data.sources.recording import (
    CLIPPED,
    SUFFIXES,
    UnreadableError,
    read_recording,
    warn_of_changes,
)
from gan_jax.ops.audio_forms import FULL_SCALE, loudest

LABEL = "label"  # the part of a file's name that is its class
SHOWN = 3  # names in a message

_logger = logging.getLogger(__name__)


class Recordings(NamedTuple):
    """Recordings as stored.

    Attributes:
        sample: full scale is 32,767, [count, length, 1].
        label: class of each, [count], or None.
        class_names: name of each class; empty without labels.
        unlabelled: why there are no labels; empty where there are some.
    """

    sample: Int16[np.ndarray, "count length 1"]
    label: Int32[np.ndarray, " count"] | None
    class_names: tuple[str, ...]
    unlabelled: str = ""


@dataclass(frozen=True)
class AudioFolder:
    """Recordings in and below a folder, in the order of their sorted paths.

    Attributes:
        path: the folder; SUFFIXES has the formats.
        names: how the files are called, relative to the folder and without suffix, with parts in
            braces: '{label}_{speaker}_{take}' or '{label}/{take}' for example. The part called
            label is the class. Parts hold no '/'; from the left, each is as short as can be. None
            takes sub-folders as classes where all files lie in some.
        held_out: a part of the names and those of its values that are held out:
            'speaker=anna,tom' for example; None holds nothing out.
        part: whether these are the recordings to train on, or those held out.
        place: which part of a recording is kept if it is too long, and where it is put if it is
            too short: 'start' keeps and fills it at its start, 'loudest' keeps the part with most
            energy, 'random' keeps or puts it at random, the same way always.
        seed: of the random places.
        normalise: whether to scale each recording so that its peak is full scale.
        corrupt: what to do about a file that cannot be read, is empty or silent: 'skip' leaves it
            out with a warning that names it, 'refuse' raises RequestError.
    """

    path: str
    names: str | None = None
    held_out: str | None = None
    part: Literal["train", "held-out"] = "train"
    place: Literal["start", "loudest", "random"] = "start"
    seed: int = 0
    normalise: bool = False
    corrupt: Literal["skip", "refuse"] = "skip"

    def __post_init__(self) -> None:
        check_types(self)
        check_not_empty(self, "path names")
        check_bounds(self, "seed", at_least=0)
        parts = parts_of(self.names or "")
        if self.held_out is not None:
            part, values = self.held_out_values
            wrong = f"AudioFolder.held_out = {self.held_out!r}"
            if not values:
                raise RequestError(f"{wrong}: give a part of names and its values: 'speaker=anna'")
            if part not in parts:
                known = f"names = {self.names!r} has {', '.join(parts) or 'no parts'}"
                raise RequestError(f"{wrong}: {known}{nearest(part, parts)}")

    @property
    def held_out_values(self) -> tuple[str, tuple[str, ...]]:
        """The part of the names that says what is held out, and its values."""
        part, _, values = (self.held_out or "").partition("=")
        return part.strip(), tuple(value.strip() for value in values.split(",") if value.strip())

    def others(self) -> Self | None:
        """Describes the recordings that are held out; None for those themselves, or without any."""
        if self.held_out is None or self.part == "held-out":
            return None
        return replace(self, part="held-out")


@functools.lru_cache(maxsize=4)
def read(folder: AudioFolder, rate: int, length: int) -> Recordings:
    """Reads all recordings of a folder.

    Args:
        folder: where they are, and how they are cut.
        rate: samples a second; recordings with another one are resampled.
        length: samples of each.

    Raises:
        RequestError: there are none, they are not called as said, or one cannot be read; or
            soundfile is missing.
    """
    root = _root(folder.path)
    listed = list_files(root, SUFFIXES)
    if not listed.files:
        others = f", but {counted(listed.others)}" if listed.others else ""
        raise RequestError(
            f"path: there is no recording in {str(root)!r}{others}; right is a folder with "
            f"{', '.join(SUFFIXES)} files"
        )
    named = _named(folder, root, listed.files)
    files = _of_part(folder, named)
    warn_of_others(root, listed)
    check_fits(f"{root}: so many recordings of {length:,} samples", 2 * length * len(files))
    kept, samples, changed = [], [], Counter()
    for name in announced(files, len(files), f"Reading the recordings in {root}"):
        try:
            samples.append(read_file(root / name, name, folder, rate, length, changed))
        except UnreadableError as error:
            if folder.corrupt == "refuse":
                advice = "repair or remove it, or leave such files out with corrupt='skip'"
                raise RequestError(f"path: unreadable recording {error}; {advice}") from error
            _logger.warning("skipped an unreadable recording: %s", error)
        else:
            kept.append(name)
    if not kept:
        raise RequestError(f"path: none of the {len(files)} recordings in {str(root)!r} is usable")
    warn_of_changes(changed, len(kept), rate)
    sample = np.stack(samples)
    sample.flags.writeable = False
    if unlabelled := _unlabelled(folder, root, named):
        return Recordings(sample, None, (), unlabelled)
    # Of both parts, so that they have the same classes.
    class_names = tuple(sorted({parts[LABEL] for parts in named.values()}, key=in_order))
    position = {name: number for number, name in enumerate(class_names)}
    label = np.array([position[named[name][LABEL]] for name in kept], np.int32)
    label.flags.writeable = False
    return Recordings(sample, label, class_names)


def read_file(
    path: Path,
    name: str,
    folder: AudioFolder,
    rate: int,
    length: int,
    changed: Counter[str],
    most_samples: int | None = None,
) -> Int16[np.ndarray, "length 1"]:
    """Reads a recording, mixed to one channel, resampled, and cut or filled.

    Args:
        path: of a file in one of the formats of SUFFIXES.
        name: of the recording, by which random places are drawn.
        folder: says how it is cut and filled, and whether it is normalised.
        rate: samples a second of the result.
        length: samples of it.
        changed: counts what had to be done.
        most_samples: see `read_recording`.

    Raises:
        UnreadableError: it is missing, damaged, cut off, empty, silent or too long.
        RequestError: soundfile, which reads it, is missing.
    """
    of_this = Counter()
    waveform = read_recording(path, rate, of_this, most_samples)
    waveform = _placed(folder, waveform, length, name)
    peak = np.abs(waveform).max()
    if peak * FULL_SCALE < 0.5:
        raise UnreadableError(f"{path}: is silent in the part that is kept")
    if folder.normalise:
        waveform = waveform / peak
    elif peak > 1 + 1 / FULL_SCALE:
        of_this[CLIPPED] += 1
    changed += of_this
    return np.rint(np.clip(waveform, -1, 1) * FULL_SCALE).astype(np.int16)[:, None]


def _placed(
    folder: AudioFolder, waveform: Float64[np.ndarray, " samples"], length: int, name: str
) -> Float64[np.ndarray, " {length}"]:
    """Cuts or fills a recording to a length."""
    excess = len(waveform) - length
    start = 0
    if folder.place == "random":
        # By the name, so that a recording stays as it is when others come and go.
        random = np.random.default_rng([folder.seed, *os.fsencode(name)])
        start = int(random.integers(abs(excess) + 1))
    elif folder.place == "loudest" and excess > 0:
        start = int(loudest(waveform, length))
    if excess > 0:
        return waveform[start : start + length]
    return np.pad(waveform, (start, -excess - start))


def _root(path: str) -> Path:
    root = Path(path).expanduser().absolute()
    if root.is_dir():
        return root
    if root.exists():
        raise RequestError(f"path: {str(root)!r} is a file: give the folder that it lies in")
    names = os.listdir(root.parent) if root.parent.is_dir() else ()
    raise RequestError(
        f"path: there is no folder {str(root)!r}{nearest(root.name, names)}; name one in the "
        "experiment's data or with --data.source.path"
    )


def _named(folder: AudioFolder, root: Path, files: list[str]) -> dict[str, dict[str, str]]:
    """Returns the parts of the names of those files that are called as said."""
    names = folder.names
    if names is None:
        if not all("/" in file for file in files):
            return {file: {} for file in files}
        return {file: {LABEL: file.partition("/")[0]} for file in files}
    stems = {file: os.path.splitext(file)[0] for file in files}
    named = {file: found for file, stem in stems.items() if (found := parse(names, stem))}
    others = [file for file in files if file not in named]
    from_the_end = {file: parse(names, stems[file], from_the_end=True) for file in named}
    if several := [file for file in named if from_the_end[file] != named[file]]:
        read_as = ", ".join(f"{part}={value}" for part, value in named[several[0]].items())
        message = "%d of %d names are %s in several ways, and read from the left: %s as %s"
        _logger.warning(message, len(several), len(files), names, several[0], read_as)
    if not named:
        raise RequestError(
            f"names = {names!r}: none of the {len(files)} recordings in {str(root)!r} is called "
            f"so; they are called {', '.join(others[:SHOWN])}"
        )
    if others:
        message = "%s: %d of %d recordings are not called %s, and left out: %s"
        shown = ", ".join(others[:SHOWN])
        _logger.warning(message, root, len(others), len(files), names, shown)
    return named


def _of_part(folder: AudioFolder, named: dict[str, dict[str, str]]) -> list[str]:
    """Returns the files of the part that is asked for."""
    if folder.held_out is None:
        return list(named)
    part, values = folder.held_out_values
    there = {parts[part] for parts in named.values()}
    wrong = f"held_out = {folder.held_out!r}"
    if unknown := [value for value in values if value not in there]:
        known = ", ".join(sorted(there, key=in_order)[:10])
        raise RequestError(f"{wrong}: no recording has {part} {unknown[0]!r}; there are {known}")
    if not there - set(values):
        raise RequestError(f"{wrong}: all recordings are held out")
    held = folder.part == "held-out"
    return [file for file, parts in named.items() if (parts[part] in values) == held]


def _unlabelled(folder: AudioFolder, root: Path, named: dict[str, dict[str, str]]) -> str:
    """Returns why recordings have no labels, or nothing where they have some."""
    if not all(LABEL in parts for parts in named.values()):
        if folder.names is not None:
            return f"names = {folder.names!r} has no part {{{LABEL}}}"
        first = root / next(file for file in named if "/" not in file)
        advice = "or say with names='{label}_{take}', for example, what the names mean"
        return f"{first} lies in the folder itself, and not in one for each class; {advice}"
    different = sorted({parts[LABEL] for parts in named.values()})
    if 2 * len(different) <= len(named):
        return ""
    found = f"{len(named)} recordings have {len(different)} different labels"
    return f"{found} ({', '.join(different[:SHOWN])}, ...), and classes have several each"
