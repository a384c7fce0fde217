"""One recording: a file of any rate and number of channels, as a waveform."""

import logging
import math
import os
from collections import Counter
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float64
from scipy import signal

from gan_jax.common.errors import RequestError
from gan_jax.common.reading import open_regular

SUFFIXES = (".wav", ".flac", ".ogg")
MOST_SAMPLES = 2**26  # of one file, over all channels: 46 minutes of 24 kHz mono
MOST_HZ = 2**20
UNKNOWN_SIZES = (0, 2**32 - 1)  # in headers of files that were written as a stream
CLIPPED = "clipped"  # counts recordings that exceed full scale, see `warn_of_changes`
_MIXED = "channels"

_logger = logging.getLogger(__name__)


class UnreadableError(Exception):
    """A file is not a recording, is damaged, empty, silent or too long; the message names it."""


def read_recording(
    path: Path, rate: int, changed: Counter[str], most_samples: int | None = None
) -> Float64[np.ndarray, " samples"]:
    """Reads a recording, mixed to one channel and resampled.

    Args:
        path: of a file in one of the formats of SUFFIXES.
        rate: samples a second of the result.
        changed: counts what had to be done, see `warn_of_changes`.
        most_samples: of the file over all channels, and of the result; MOST_SAMPLES if None.

    Returns:
        Finite samples, of which full scale is 1; they may exceed it.

    Raises:
        UnreadableError: it is missing, damaged, cut off, empty or too long.
        RequestError: soundfile, which reads it, is missing.
    """
    most = most_samples or MOST_SAMPLES
    waveform, own_rate = _mixed(path, most, changed)
    if own_rate != rate:
        changed[f"{own_rate:,} Hz"] += 1
        shared = math.gcd(rate, own_rate)
        up, down = rate // shared, own_rate // shared
        if max(up, down) >= MOST_HZ or len(waveform) * up / down > most:
            raise UnreadableError(f"{path}: has {own_rate:,} Hz, too far from {rate:,} Hz")
        waveform = signal.resample_poly(waveform, up, down)
    if not np.isfinite(waveform).all():
        raise UnreadableError(f"{path}: has samples that are not finite")
    return waveform


def warn_of_changes(changed: Counter[str], count: int, rate: int) -> None:
    """Warns of what had to be done to recordings, as counted by `read_recording`."""
    if several := changed.pop(_MIXED, 0):
        _logger.warning("mixed to one channel: %d of %d recordings", several, count)
    if clipped := changed.pop(CLIPPED, 0):
        _logger.warning("clipped, as they exceed full scale: %d of %d recordings", clipped, count)
    if changed := +changed:
        rates = ", ".join(f"{name} ({number})" for name, number in changed.most_common())
        message = "resampled to %s Hz: %d of %d recordings, from %s"
        _logger.warning(message, f"{rate:,}", changed.total(), count, rates)


def library():
    """Returns soundfile, which reads recordings.

    Raises:
        RequestError: it is not installed.
    """
    try:
        import soundfile
    except (ImportError, OSError) as error:  # the latter where libsndfile itself is missing
        need = "recordings need soundfile: pip install 'gan_jax[audio]'"
        raise RequestError(f"{need} ({error})") from error
    return soundfile


def _mixed(
    path: Path, most_samples: int, changed: Counter[str]
) -> tuple[Float64[np.ndarray, " samples"], int]:
    """Returns the mean of a file's channels, and its rate."""
    soundfile = library()
    try:
        with open_regular(path) as file:
            if _is_cut_off(file):
                raise UnreadableError(f"{path}: is cut off")
            with soundfile.SoundFile(file) as recording:
                size = recording.frames * recording.channels
                if size > most_samples:
                    most = f"more than {most_samples:,} samples over all channels"
                    raise UnreadableError(f"{path}: has {size:,}, {most}")
                samples = recording.read(dtype="float64", always_2d=True)
                rate = recording.samplerate
    except (OSError, RequestError, soundfile.SoundFileError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "error_string", None) or error
        raise UnreadableError(f"{path}: {reason}") from error
    if not len(samples):
        raise UnreadableError(f"{path}: is empty")
    changed[_MIXED] += samples.shape[1] > 1
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused later
        return samples.mean(axis=1), rate


def _is_cut_off(file: BinaryIO) -> bool:
    """Whether a WAV file is shorter than its header says, which libsndfile overlooks."""
    start = file.read(8)
    there = file.seek(0, os.SEEK_END)
    file.seek(0)
    said = int.from_bytes(start[4:], "little")
    return start[:4] == b"RIFF" and said not in UNKNOWN_SIZES and 8 + said > there + 1
