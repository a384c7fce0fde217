"""Folders of recordings, all cut or filled to one length."""

import functools
import logging
import os
import threading
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
from jaxtyping import Int16

from gan_jax.common.errors import RequestError, UnreadableError
from gan_jax.common.memory import check_fits
from gan_jax.common.progress import announced
from gan_jax.common.validation import (
    check_bounds,
    check_not_empty,
    check_types,
    is_number,
    nearest,
)
from gan_jax.data.sources import classes
from gan_jax.data.sources.base import Examples
from gan_jax.data.sources.listing import counted, list_files, refuse_split, warn_of_others
from gan_jax.data.sources.name_pattern import fields_of, parse
from gan_jax.data.sources.recording import SUFFIXES, Recording, read_recording
from gan_jax.ops.spectrograms import FULL_SCALE, loudest, to_int16

LABEL = "label"  # the field of a pattern that is the class
SHOWN = 3  # names in a message
MIXED, CLIPPED = "channels", "clipped"  # what is counted of recordings, beside rates in words

_loading = threading.Lock()
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AudioFolder:
    """Recordings in and below a folder, in the order of their sorted paths.

    Attributes:
        path: the folder; SUFFIXES has the formats.
        pattern: of the names of the files, relative to the folder and without suffix, with fields
            in braces: '{label}_{speaker}_{take}' or '{label}/{take}' for example. The field label
            is the class. Values hold no '/'; from the left, each is as short as can be. None takes
            sub-folders as classes where all files lie in some.
        held_out_values: a field of the pattern and those of its values that are held out:
            'speaker=anna,tom' for example; None holds nothing out.
        part: whether these are the recordings to train on, or those held out.
        place: which part of a long recording is kept, and where a short one is put. 'start' keeps
            the beginning, and fills the end with zeros; 'loudest' keeps the part with most energy;
            'random' keeps or puts it at random, the same way always.
        seed: of the random places.
        normalise: whether to scale each recording so that its peak is full scale.
        corrupt: what to do about a file that cannot be read, is empty or silent: 'skip' leaves it
            out with a warning that names it, 'refuse' raises RequestError.
    """

    path: str
    pattern: str | None = None
    held_out_values: str | None = None
    part: Literal["train", "held-out"] = "train"
    place: Literal["start", "loudest", "random"] = "start"
    seed: int = 0
    normalise: bool = False
    corrupt: Literal["skip", "refuse"] = "skip"

    def __post_init__(self) -> None:
        check_types(self)
        check_not_empty(self, "path pattern")
        check_bounds(self, "seed", at_least=0)
        fields = fields_of(self.pattern or "")
        if self.held_out_values is not None:
            field, values = self.field_and_values
            wrong = f"held out {self.held_out_values!r}"
            if not values:
                raise RequestError(f"{wrong}: give a field and its values, 'speaker=anna'")
            if field not in fields:
                known = f"pattern = {self.pattern!r} has {', '.join(fields) or 'no fields'}"
                raise RequestError(f"{wrong}: {known}{nearest(field, fields)}")

    @property
    def field_and_values(self) -> tuple[str, tuple[str, ...]]:
        """The field that says what is held out, and its values; empty without."""
        field, _, values = (self.held_out_values or "").partition("=")
        return field.strip(), tuple(value.strip() for value in values.split(",") if value.strip())

    def held_out(self) -> Self | None:
        """Describes the recordings that are held out; None for those themselves, or without any."""
        if self.held_out_values is None or self.part == "held-out":
            return None
        return replace(self, part="held-out")


def read(folder: AudioFolder, rate: int, length: int) -> Examples:
    """Returns the recordings of a folder, int16 [count, length, 1], read-only.

    They are read once in the life of a process.

    Args:
        folder: where they are, and how they are cut.
        rate: samples a second; recordings with another one are resampled.
        length: samples of each.

    Raises:
        RequestError: there are none, they do not match the pattern, or one cannot be read; or
            soundfile is missing.
    """
    with _loading:  # so that threads wait for one another, and do not read the same twice
        return _read(folder, rate, length)


@functools.lru_cache(maxsize=4)
def _read(folder: AudioFolder, rate: int, length: int) -> Examples:
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
    check_fits(f"length = {length}: {len(files):,} recordings", 2 * length * len(files))
    kept, samples, changes = [], [], Counter()
    for name in announced(files, len(files), f"Reading the recordings in {root}"):
        try:
            recording = read_recording(root / name, rate)
            stored, of_this = fitted(folder, recording, length, name)
            if not stored.any():
                raise UnreadableError(f"{root / name}: is silent in the part that is kept")
        except UnreadableError as error:
            if folder.corrupt == "refuse":
                advice = "repair or remove it, or leave such files out with corrupt='skip'"
                raise RequestError(f"path: unreadable recording {error}; {advice}") from error
            _logger.warning("skipped an unreadable recording: %s", error)
            continue
        kept.append(name)
        samples.append(stored)
        changes += of_this
    if not kept:
        raise RequestError(f"path: none of the {len(files)} recordings in {str(root)!r} is usable")
    warn_of_changes(changes, len(kept), rate)
    examples = _labelled(folder, root, named, kept, np.stack(samples))
    for array in (examples.sample, examples.label):
        if array is not None:
            array.flags.writeable = False
    return examples


def fitted(
    folder: AudioFolder, recording: Recording, length: int, name: str
) -> tuple[Int16[np.ndarray, "length 1"], Counter[str]]:
    """Returns a recording as stored, and what had to be done to it, for `warn_of_changes`.

    Args:
        folder: says how recordings are cut and filled, and whether they are normalised.
        recording: as read, at the rate of the result.
        length: samples of the result.
        name: of the recording, by which random places are drawn: a recording stays as it is when
            others come and go.
    """
    waveform, excess, start = recording.waveform, len(recording.waveform) - length, 0
    if folder.place == "random":
        random = np.random.default_rng([folder.seed, *os.fsencode(name)])
        start = int(random.integers(abs(excess) + 1))
    elif folder.place == "loudest" and excess > 0:
        start = int(loudest(waveform, length))
    if excess > 0:
        waveform = waveform[start : start + length]
    else:
        waveform = np.pad(waveform, (start, -excess - start))
    peak = np.abs(waveform).max()
    audible = peak * FULL_SCALE >= 0.5
    if folder.normalise and audible:
        waveform = waveform / peak
    changes = Counter({f"{recording.rate:,} Hz": 1, MIXED: int(recording.channels > 1)})
    changes[CLIPPED] = int(not folder.normalise and peak > 1 + 1 / FULL_SCALE)
    return to_int16(waveform)[:, None], changes


def warn_of_changes(changes: Counter[str], count: int, rate: int) -> None:
    """Warns of what had to be done to recordings.

    Args:
        changes: the sum of what `fitted` has returned.
        count: of the recordings.
        rate: that they have now.
    """
    if several := changes.pop(MIXED, 0):
        _logger.warning("mixed to one channel: %d of %d recordings", several, count)
    if clipped := changes.pop(CLIPPED, 0):
        _logger.warning("clipped, as they exceed full scale: %d of %d recordings", clipped, count)
    changes.pop(f"{rate:,} Hz", None)
    if changes:
        rates = ", ".join(f"{name} ({number})" for name, number in changes.most_common())
        message = "resampled to %s Hz: %d of %d recordings, from %s"
        _logger.warning(message, f"{rate:,}", changes.total(), count, rates)


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
    """Returns the fields of the names of those files that match the pattern."""
    pattern = folder.pattern
    if pattern is None:
        refuse_split(folder.path, files)
        if not all("/" in file for file in files):
            return {file: {} for file in files}
        return {file: {LABEL: file.partition("/")[0]} for file in files}
    stems = {file: os.path.splitext(file)[0] for file in files}
    named = {file: found for file, stem in stems.items() if (found := parse(pattern, stem))}
    others = [file for file in files if file not in named]
    if not named:
        shown = ", ".join(others[:SHOWN])
        raise RequestError(
            f"pattern = {pattern!r}: none of the {len(files)} recordings in {str(root)!r} matches; "
            f"they are called {shown}"
        )
    from_the_right = {file: parse(pattern, stems[file], from_the_right=True) for file in named}
    if several := [file for file in named if from_the_right[file] != named[file]]:
        read_as = ", ".join(f"{field}={value}" for field, value in named[several[0]].items())
        message = (
            "%d of %d names match %s in several ways, of which the shortest from the left is used: "
            "%s is %s"
        )
        _logger.warning(message, len(several), len(files), pattern, several[0], read_as)
    if others:
        message = "%s: %d of %d recordings do not match %s, and are left out: %s"
        shown = ", ".join(others[:SHOWN])
        _logger.warning(message, root, len(others), len(files), pattern, shown)
    return named


def _of_part(folder: AudioFolder, named: dict[str, dict[str, str]]) -> list[str]:
    """Returns the files of the part that is asked for."""
    if folder.held_out_values is None:
        return list(named)
    field, values = folder.field_and_values
    there = {fields[field] for fields in named.values()}
    wrong = f"held out {folder.held_out_values!r}"
    if unknown := [value for value in values if value not in there]:
        known = ", ".join(sorted(there, key=_in_order)[:10])
        raise RequestError(f"{wrong}: no recording has {field} {unknown[0]!r}; there are {known}")
    if not there - set(values):
        raise RequestError(f"{wrong}: all recordings are held out")
    held = folder.part == "held-out"
    return [file for file, fields in named.items() if (fields[field] in values) == held]


def _labelled(
    folder: AudioFolder,
    root: Path,
    named: dict[str, dict[str, str]],
    kept: list[str],
    sample: Int16[np.ndarray, "count length 1"],
) -> Examples:
    """Returns recordings with their labels, or with the reason why they have none."""
    if all(LABEL in fields for fields in named.values()):
        # Of both parts, so that they have the same classes.
        names = sorted({fields[LABEL] for fields in named.values()}, key=_in_order)
        position = {name: number for number, name in enumerate(names)}
        label = np.array([position[named[name][LABEL]] for name in kept], np.int32)
        return classes.of_names(sample, label, tuple(names))
    if folder.pattern is not None:
        return Examples(sample, None, (), f"pattern = {folder.pattern!r} has no field {{{LABEL}}}")
    first = root / next(file for file in named if "/" not in file)
    advice = "or give a pattern, '{label}_{take}' for example"
    reason = f"{first} lies in the folder itself, and not in one for each class; {advice}"
    return Examples(sample, None, (), reason)


def _in_order(name: str) -> tuple[bool, int, str]:
    """Sorts numbers by value, before other names."""
    number = int(name) if is_number(name) else 0
    return not is_number(name), number, name
