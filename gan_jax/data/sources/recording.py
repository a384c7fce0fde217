"""One recording: a file of any rate and number of channels, as a waveform."""

import math
import os
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, NamedTuple

import numpy as np
import scipy  # which imports its parts when they are used
from jaxtyping import Float64

from gan_jax.common.errors import RequestError, UnreadableError
from gan_jax.common.reading import open_regular

SUFFIXES = (".wav", ".flac", ".ogg")
MOST_SAMPLES = 2**26  # of one file, over all channels: 46 minutes of 24 kHz mono
MOST_HZ = 2**20  # and the largest factor of a resampling
UNKNOWN_SIZES = (0, 2**32 - 1)  # in headers of files that were written as a stream


class Recording(NamedTuple):
    """What a file holds.

    Attributes:
        waveform: mixed to one channel and resampled; finite, of which full scale is 1, and which
            may exceed it.
        rate: of the file, in samples a second.
        channels: of the file.
    """

    waveform: Float64[np.ndarray, " samples"]
    rate: int
    channels: int


def read_recording(path: Path, rate: int, most_samples: int = MOST_SAMPLES) -> Recording:
    """Reads a recording, mixed to one channel and resampled.

    Args:
        path: of a file in one of the formats of SUFFIXES.
        rate: samples a second of the result.
        most_samples: of the file over all channels, and of the result.

    Raises:
        UnreadableError: it is missing, damaged, cut off, empty or too long.
        RequestError: soundfile, which reads it, is missing.
    """
    samples, own_rate = _samples(path, most_samples)
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused below
        waveform = samples.mean(axis=1)
    if own_rate != rate:
        shared = math.gcd(rate, own_rate)
        up, down = rate // shared, own_rate // shared
        if max(up, down) >= MOST_HZ or len(waveform) * up / down > most_samples:
            raise UnreadableError(f"{path}: has {own_rate:,} Hz, too far from {rate:,} Hz")
        waveform = scipy.signal.resample_poly(waveform, up, down)
    if not np.isfinite(waveform).all():
        raise UnreadableError(f"{path}: has samples that are not finite")
    return Recording(waveform, own_rate, samples.shape[1])


def _samples(path: Path, most_samples: int) -> tuple[Float64[np.ndarray, "samples channels"], int]:
    soundfile = _soundfile()
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
    return samples, rate


def _is_cut_off(file: BinaryIO) -> bool:
    """Whether a WAV file is shorter than its header says, which libsndfile overlooks."""
    start = file.read(8)
    there = file.seek(0, os.SEEK_END)
    file.seek(0)
    said = int.from_bytes(start[4:], "little")
    return start[:4] == b"RIFF" and said not in UNKNOWN_SIZES and 8 + said > there + 1


def _soundfile() -> ModuleType:
    try:
        import soundfile
    except (ImportError, OSError) as error:  # the latter where libsndfile itself is missing
        need = "recordings need soundfile: pip install 'gan_jax[audio]'"
        raise RequestError(f"{need} ({error})") from error
    return soundfile
