"""What networks make and see of sound: waveforms, or spectrograms as images."""

import abc
import dataclasses
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int16

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.ops import stft

FULL_SCALE = 2**15 - 1
AT_ONCE = 2**20  # samples of the waveforms that are made of spectrograms together


class Statistics(NamedTuple):
    """Of the logarithms of the magnitudes of a training set, for each frequency."""

    mean: Float32[np.ndarray, " frequencies"]
    deviation: Float32[np.ndarray, " frequencies"]


def loudest(waveforms: Any, length: int) -> Any:
    """Returns where the `length` samples with most energy begin, of waveforms [..., samples]."""
    energy = np.cumsum(np.square(waveforms, dtype=np.float64), axis=-1)
    before = np.pad(energy, [(0, 0)] * (energy.ndim - 1) + [(1, 0)])[..., : -length or None]
    return np.argmax(energy[..., length - 1 :] - before[..., : energy.shape[-1] - length + 1], -1)


class Form(abc.ABC):
    """How stored waveforms become samples, and samples waveforms."""

    @abc.abstractmethod
    def check(self, length: int) -> None:
        """Raises RequestError where waveforms of so many samples do not fit."""

    @abc.abstractmethod
    def sample_shape(self, length: int) -> tuple[int, ...]:
        """Returns the shape of a sample of so long a waveform."""

    @abc.abstractmethod
    def measure(self, stored: Int16[np.ndarray, "count length 1"]) -> Statistics | None:
        """Returns what has to be known of the training set to make samples."""

    @abc.abstractmethod
    def to_samples(self, stored: Any, statistics: Statistics | None) -> Any:
        """Makes samples of stored waveforms [..., length, 1], for NumPy and JAX arrays alike."""

    @abc.abstractmethod
    def to_stored(
        self, samples: Float32[np.ndarray, "count ..."], statistics: Statistics | None
    ) -> Int16[np.ndarray, "count length 1"]:
        """Makes waveforms of samples."""


@dataclasses.dataclass(frozen=True)
class Waveform(Form):
    """Samples are the waveforms themselves, float32 [length, 1] in [-1, 1]."""

    def check(self, length: int) -> None:
        """Accepts any length."""

    def sample_shape(self, length: int) -> tuple[int, ...]:
        """Returns (length, 1)."""
        return (length, 1)

    def measure(self, stored: Int16[np.ndarray, "count length 1"]) -> None:
        """Returns None: nothing has to be known."""

    def to_samples(self, stored: Any, statistics: Statistics | None) -> Any:
        """Scales by full scale."""
        return stored.astype("float32") * np.float32(1 / FULL_SCALE)

    def to_stored(
        self, samples: Float32[np.ndarray, "count length 1"], statistics: Statistics | None
    ) -> Int16[np.ndarray, "count length 1"]:
        """Rounds; what is beyond full scale is clipped."""
        return np.rint(np.clip(samples, -1, 1) * FULL_SCALE).astype(np.int16)


@dataclasses.dataclass(frozen=True)
class Spectrogram(Form):
    """Samples are logarithms of magnitudes over time, as images in [-1, 1].

    The form of SpecGAN (Donahue et al., 2019): each frequency is standardised over the
    training set and clipped at `clip` deviations, and the highest one is left out, so that their
    number is a power of two. Low frequencies come first. Waveforms are made of samples by the
    iteration of Griffin and Lim (1984).

    Attributes:
        window: samples of a frame, twice the number of frequencies; a multiple of 2 * hop, at least
            4.
        hop: samples from one frame to the next; divides the length.
        floor: is added to magnitudes before the logarithm; a full-scale sine has window / 4.
        clip: deviations from the mean that become 1, above 0 and below 1,000.
        iterations: of Griffin and Lim's, at least 1.
    """

    window: int = 128
    hop: int = 64
    floor: float = 1e-2
    clip: float = 3.0
    iterations: int = 60

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "window", at_least=4)
        check_bounds(self, "hop iterations", at_least=1)
        check_bounds(self, "clip", below=1000)
        for name in ("floor", "clip"):
            if getattr(self, name) <= 0:
                raise RequestError(f"Spectrogram.{name} = {getattr(self, name)}: must be above 0")
        stft.check(self.window, self.hop, 0)

    def check(self, length: int) -> None:
        """Raises RequestError where hop does not divide the length."""
        stft.check(self.window, self.hop, length)

    def sample_shape(self, length: int) -> tuple[int, ...]:
        """Returns (frequencies, frames, 1)."""
        return (self.window // 2, length // self.hop, 1)

    def measure(self, stored: Int16[np.ndarray, "count length 1"]) -> Statistics:
        """Returns mean and deviation of each frequency."""
        parts = np.array_split(stored, -(-stored.size // AT_ONCE))
        sums = sum(self._sums(part) for part in parts)
        mean, square = sums / (len(stored) * (stored.shape[1] // self.hop))
        deviation = np.sqrt(np.maximum(square - mean**2, 1e-12))
        return Statistics(mean.astype(np.float32), deviation.astype(np.float32))

    def _sums(self, stored: Int16[np.ndarray, "count length 1"]) -> np.ndarray:
        logarithms = self._logarithms(stored).astype(np.float64)
        return np.stack([logarithms.sum(axis=(0, 1)), (logarithms**2).sum(axis=(0, 1))])

    def to_samples(self, stored: Any, statistics: Statistics) -> Any:
        """Returns standardised logarithms of magnitudes, [..., frequencies, frames, 1]."""
        scaled = (self._logarithms(stored) - statistics.mean) / (self.clip * statistics.deviation)
        return scaled.clip(-1, 1).swapaxes(-1, -2)[..., None]

    def to_stored(
        self, samples: Float32[np.ndarray, "count frequencies frames 1"], statistics: Statistics
    ) -> Int16[np.ndarray, "count length 1"]:
        """Returns waveforms whose magnitudes come near to those of the samples."""
        from gan_jax.ops import griffin_lim  # JAX, which describing data does not need

        made, together = [], max(1, AT_ONCE // (samples.shape[2] * self.hop))
        for start in range(0, len(samples), together):
            magnitudes = self.magnitudes(samples[start : start + together], statistics)
            count = 1 << (len(magnitudes) - 1).bit_length()  # few sizes, as each is compiled
            missing = [(0, count - len(magnitudes)), (0, 0), (0, 1)]  # and the highest frequency
            padded = np.pad(magnitudes, missing)
            found = griffin_lim.waveforms(padded, self.window, self.hop, self.iterations)
            made.append(np.asarray(found)[: len(magnitudes), :, None])
        return Waveform().to_stored(np.concatenate(made), None)

    def magnitudes(
        self, samples: Float32[np.ndarray, "count frequencies frames 1"], statistics: Statistics
    ) -> Float32[np.ndarray, "count frames frequencies"]:
        """Returns the magnitudes that samples stand for."""
        scaled = np.clip(samples[..., 0].swapaxes(-1, -2), -1, 1)
        logarithms = scaled * (self.clip * statistics.deviation) + statistics.mean
        return np.maximum(np.exp(logarithms) - np.float32(self.floor), 0)

    def magnitudes_of(self, stored: Any) -> Any:
        """Returns the magnitudes of stored waveforms, [..., frames, frequencies]."""
        waveforms = Waveform().to_samples(stored, None)[..., 0]
        return abs(stft.transform(waveforms, self.window, self.hop)[..., :-1])

    def _logarithms(self, stored: Any) -> Any:
        magnitudes = self.magnitudes_of(stored)
        return magnitudes.__array_namespace__().log(magnitudes + np.float32(self.floor))
