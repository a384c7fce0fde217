"""Waveforms as numbers in [-1, 1], and their spectrograms as images."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int16

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.ops import stft

FULL_SCALE = 2**15 - 1
AT_ONCE = 2**20  # samples of all waveforms whose spectrograms are measured or inverted together


class Statistics(NamedTuple):
    """Of the logarithms of the magnitudes of a training set, for each frequency."""

    mean: Float32[np.ndarray, " frequencies"]
    deviation: Float32[np.ndarray, " frequencies"]


def to_float(stored: Any) -> Any:
    """Returns int16 waveforms as float32 in [-1, 1], for NumPy and JAX arrays alike."""
    return stored.astype("float32") * np.float32(1 / FULL_SCALE)


def to_int16(waveforms: Float32[np.ndarray, "..."]) -> Int16[np.ndarray, "..."]:
    """Returns waveforms rounded; what is beyond full scale is clipped."""
    return np.rint(np.clip(waveforms, -1, 1) * FULL_SCALE).astype(np.int16)


def loudest(waveforms: Any, length: int) -> Any:
    """Returns where the `length` samples with most energy begin, of waveforms [..., samples]."""
    energy = np.cumsum(np.square(waveforms, dtype=np.float64), axis=-1)
    before = np.pad(energy, [(0, 0)] * (energy.ndim - 1) + [(1, 0)])[..., : -length or None]
    return np.argmax(energy[..., length - 1 :] - before[..., : energy.shape[-1] - length + 1], -1)


@dataclasses.dataclass(frozen=True)
class Spectrogram:
    """Logarithms of magnitudes over time, as images in [-1, 1] that networks make and see.

    The form of SpecGAN (Donahue et al., 2019): each frequency is standardised over the training set
    and clipped at `clip` deviations, and the highest one is left out, so that their number is a
    power of two if the window is. Low frequencies come first. Waveforms are made of such images by
    the iteration of Griffin and Lim (1984).

    Attributes:
        window: samples of a frame, twice the number of frequencies; at least 4, and a multiple of
            2 * hop.
        hop: samples from one frame to the next; divides the length of the waveforms.
        floor: is added to magnitudes before the logarithm, above 0; a full-scale sine has a
            magnitude of window / 4.
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
        if self.window % (2 * self.hop):
            twice = f"a multiple of 2 * hop, {2 * self.hop}"
            raise RequestError(f"Spectrogram.window = {self.window}: must be {twice}")

    def shape(self, length: int) -> tuple[int, int, int]:
        """Returns the shape of the image of a waveform, (frequencies, frames, 1).

        Raises:
            RequestError: hop does not divide the waveform's length.
        """
        if length % self.hop:
            raise RequestError(f"Spectrogram.hop = {self.hop}: must divide the length, {length}")
        return (self.window // 2, length // self.hop, 1)

    def measure(self, stored: Int16[np.ndarray, "count length 1"]) -> Statistics:
        """Returns the statistics by which images are standardised, of a training set."""
        parts = np.array_split(stored, -(-stored.size // AT_ONCE))
        sums = sum(self._sums(part) for part in parts)
        mean, square = sums / (len(stored) * (stored.shape[1] // self.hop))
        deviation = np.sqrt(np.maximum(square - mean**2, 1e-12))
        return Statistics(mean.astype(np.float32), deviation.astype(np.float32))

    def to_images(self, stored: Any, statistics: Statistics) -> Any:
        """Makes images of waveforms, for NumPy and JAX arrays alike.

        Args:
            stored: int16 [..., length, 1].
            statistics: of the training set.

        Returns:
            float32 [..., frequencies, frames, 1] in [-1, 1].
        """
        scaled = (self._logarithms(stored) - statistics.mean) / (self.clip * statistics.deviation)
        return scaled.clip(-1, 1).swapaxes(-1, -2)[..., None]

    def to_waveforms(
        self, images: Float32[np.ndarray, "count frequencies frames 1"], statistics: Statistics
    ) -> Int16[np.ndarray, "count length 1"]:
        """Returns waveforms whose magnitudes are near to those of images."""
        from gan_jax.ops import griffin_lim  # JAX, which describing data does not need

        made, together = [], max(1, AT_ONCE // (images.shape[2] * self.hop))
        for start in range(0, len(images), together):
            magnitudes = self.magnitudes(images[start : start + together], statistics)
            count = 1 << (len(magnitudes) - 1).bit_length()  # few sizes, as each is compiled
            missing = [(0, count - len(magnitudes)), (0, 0), (0, 1)]  # and the highest frequency
            padded = np.pad(magnitudes, missing)
            found = griffin_lim.waveforms(padded, self.window, self.hop, self.iterations)
            made.append(np.asarray(found)[: len(magnitudes), :, None])
        return to_int16(np.concatenate(made))

    def magnitudes(
        self, images: Float32[np.ndarray, "count frequencies frames 1"], statistics: Statistics
    ) -> Float32[np.ndarray, "count frames frequencies"]:
        """Returns the magnitudes that images stand for."""
        scaled = np.clip(images[..., 0].swapaxes(-1, -2), -1, 1)
        logarithms = scaled * (self.clip * statistics.deviation) + statistics.mean
        return np.maximum(np.exp(logarithms) - np.float32(self.floor), 0)

    def magnitudes_of(self, stored: Any) -> Any:
        """Returns the magnitudes of waveforms, int16 [..., length, 1].

        Returns:
            float32 [..., frames, frequencies].
        """
        return abs(stft.transform(to_float(stored)[..., 0], self.window, self.hop)[..., :-1])

    def _logarithms(self, stored: Any) -> Any:
        magnitudes = self.magnitudes_of(stored)
        return magnitudes.__array_namespace__().log(magnitudes + np.float32(self.floor))

    def _sums(self, stored: Int16[np.ndarray, "count length 1"]) -> np.ndarray:
        logarithms = self._logarithms(stored).astype(np.float64)
        return np.stack([logarithms.sum(axis=(0, 1)), (logarithms**2).sum(axis=(0, 1))])
