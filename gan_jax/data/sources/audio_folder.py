"""Folders of recordings: read, mixed to one channel, resampled, and cut or filled to one length."""

import functools
import logging
import math
import os
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
from jaxtyping import Float32, Int16, Int32
from scipy import signal

from gan_jax.common.errors import RequestError
from gan_jax.common.memory import check_fits
from gan_jax.common.progress import announced
from gan_jax.common.reading import open_regular
from gan_jax.common.validation import check_bounds, check_not_empty, check_types, nearest
from gan_jax.data.sources.listing import counted, list_files, warn_of_others
from gan_jax.ops.audio_forms import FULL_SCALE, loudest

SUFFIXES = (".wav", ".flac", ".ogg")
LABEL = "label"  # the part of a file's name that is its class
MOST_SAMPLES = 2**26  # of one file, over all channels: 46 minutes of 24 kHz mono
SHOWN = 3  # names in a message

_logger = logging.getLogger(__name__)


class UnreadableError(Exception):
    """A file is not a recording, is damaged, empty, silent or too long; the message names it."""


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
            label is the class. None is '{label}/{...}' where all files lie in sub-folders, and no
            classes otherwise.
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
        parts = _parts_of(self.names or "")
        if twice := [name for name, count in Counter(parts).items() if count > 1]:
            raise RequestError(f"AudioFolder.names = {self.names!r}: has {{{twice[0]}}} twice")
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
    files = _of_part(folder, _named(folder, root, listed.files))
    warn_of_others(root, listed)
    check_fits(f"{root}: so many recordings of {length:,} samples", 2 * length * len(files))
    kept, samples, changed = [], [], Counter()
    for name in announced(files, len(files), f"Reading the recordings in {root}"):
        try:
            waveform = read_file(root / name, rate, changed, MOST_SAMPLES)
            samples.append(placed(folder, waveform, length, name))
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
    # Classes are those of all files, so that both parts have the same.
    labels = _named(folder, root, listed.files)
    class_names = tuple(sorted({parts.get(LABEL, "") for parts in labels.values()}, key=_in_order))
    label = None
    if class_names != ("",):
        _check_classes(root, class_names, len(listed.files))
        position = {name: number for number, name in enumerate(class_names)}
        label = np.array([position[labels[name][LABEL]] for name in kept], np.int32)
        label.flags.writeable = False
    sample = np.stack(samples)
    sample.flags.writeable = False
    if label is not None:
        return Recordings(sample, label, class_names)
    unlabelled = (
        "they lie in the folder itself, not in one for each class; or say with "
        "names='{label}_{take}', for example, what their names mean"
    )
    if folder.names is not None:
        unlabelled = f"names = {folder.names!r} has no part {{{LABEL}}}"
    return Recordings(sample, None, (), unlabelled)


def read_file(
    path: Path, rate: int, changed: Counter[str], most_samples: int
) -> Float32[np.ndarray, " samples"]:
    """Reads a recording, mixed to one channel and resampled.

    Args:
        path: of a file in one of the formats of SUFFIXES.
        rate: samples a second of the result.
        changed: counts what had to be done.
        most_samples: over all channels; a longer one is refused.

    Returns:
        Samples in [-1, 1].

    Raises:
        UnreadableError: it is missing, damaged, empty or too long.
        RequestError: soundfile, which reads it, is missing.
    """
    soundfile = library()
    try:
        with open_regular(path) as file, soundfile.SoundFile(file) as recording:
            size = recording.frames * recording.channels
            if size > most_samples:
                most = f"more than {most_samples:,} samples over all channels"
                raise UnreadableError(f"{path}: has {size:,}, {most}")
            samples = recording.read(dtype="float32", always_2d=True)
            own_rate = recording.samplerate
    except (OSError, RequestError, soundfile.SoundFileError) as error:
        raise UnreadableError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if not len(samples):
        raise UnreadableError(f"{path}: is empty")
    if not np.isfinite(samples).all():
        raise UnreadableError(f"{path}: has samples that are not finite")
    changed["channels"] += samples.shape[1] > 1
    waveform = samples.mean(axis=1)
    if own_rate != rate:
        changed[f"{own_rate:,} Hz"] += 1
        shared = math.gcd(rate, own_rate)
        waveform = signal.resample_poly(waveform, rate // shared, own_rate // shared)
    return np.clip(waveform, -1, 1).astype(np.float32)


def warn_of_changes(changed: Counter[str], count: int, rate: int) -> None:
    """Warns of what had to be done to recordings, as counted by `read_file`."""
    if several := changed.pop("channels", 0):
        _logger.warning("mixed to one channel: %d of %d recordings", several, count)
    if changed := +changed:
        rates = ", ".join(f"{name} ({number})" for name, number in changed.most_common())
        message = "resampled to %s Hz: %d of %d recordings, from %s"
        _logger.warning(message, f"{rate:,}", changed.total(), count, rates)


def library():
    """Returns soundfile, which reads and writes recordings.

    Raises:
        RequestError: it is not installed.
    """
    try:
        import soundfile
    except (ImportError, OSError) as error:  # the latter where libsndfile itself is missing
        need = "recordings need soundfile: pip install 'gan_jax[audio]'"
        raise RequestError(f"{need} ({error})") from error
    return soundfile


def placed(
    folder: AudioFolder, waveform: Float32[np.ndarray, " samples"], length: int, name: str
) -> Int16[np.ndarray, "length 1"]:
    """Returns a recording as stored: cut or filled to a length as `folder` says, and rounded.

    Raises:
        UnreadableError: it is silent.
    """
    excess = len(waveform) - length
    # From the name, so that a recording stays as it is when others come and go.
    random = np.random.default_rng([folder.seed, *name.encode()])
    start = 0
    if folder.place == "random":
        start = int(random.integers(abs(excess) + 1))
    elif folder.place == "loudest" and excess > 0:
        start = int(loudest(waveform, length))
    if excess > 0:
        waveform = waveform[start : start + length]
    else:
        waveform = np.pad(waveform, (start, -excess - start))
    peak = np.abs(waveform).max()
    if round(peak * FULL_SCALE) == 0:
        raise UnreadableError(f"{Path(folder.path, name)}: is silent")
    if folder.normalise:
        waveform = waveform / peak
    return np.rint(waveform * FULL_SCALE).astype(np.int16)[:, None]


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
    pattern = _pattern(names)
    found = {file: pattern.fullmatch(os.path.splitext(file)[0]) for file in files}
    named = {file: match.groupdict() for file, match in found.items() if match}
    others = [file for file, match in found.items() if not match]
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
        known = ", ".join(sorted(there, key=_in_order)[:10])
        raise RequestError(f"{wrong}: no recording has {part} {unknown[0]!r}; there are {known}")
    if not there - set(values):
        raise RequestError(f"{wrong}: all recordings are held out")
    held = folder.part == "held-out"
    return [file for file, parts in named.items() if (parts[part] in values) == held]


def _check_classes(root: Path, class_names: tuple[str, ...], count: int) -> None:
    if 2 * len(class_names) > count:
        raise RequestError(
            f"names: the {count} recordings in {str(root)!r} have {len(class_names)} different "
            f"labels ({', '.join(class_names[:SHOWN])}, ...): classes have several recordings each"
        )


def _pattern(names: str) -> re.Pattern[str]:
    pieces = re.split(r"\{([^{}]*)\}", names)
    fields = (f"(?P<{part}>[^/]+?)" for part in pieces[1::2])
    literal = [re.escape(piece) for piece in pieces[::2]]
    return re.compile(literal[0] + "".join(map("".join, zip(fields, literal[1:], strict=True))))


def _parts_of(names: str) -> list[str]:
    parts = re.findall(r"\{([^{}]*)\}", names)
    if wrong := [part for part in parts if not part.isidentifier()]:
        raise RequestError(f"AudioFolder.names = {names!r}: {{{wrong[0]}}} must be a word")
    return parts


def _in_order(name: str) -> tuple[bool, int, str]:
    """Sorts numbers by value, before other names."""
    number = int(name) if name.isdecimal() else 0
    return not name.isdecimal(), number, name
