"""Sound: recordings as waveforms, or as spectrograms, which networks for images take."""

import functools
import os
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from jaxtyping import Float32, Int16, Int32, UInt8

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.data import audio_files, grids
from gan_jax.data.dataset import Files, RawBatch, Stored, check_path
from gan_jax.data.order import batch_indices
from gan_jax.data.sources.audio_folder import AudioFolder, read
from gan_jax.data.sources.base import Examples
from gan_jax.data.sources.recording import MOST_HZ
from gan_jax.ops.spectrograms import Spectrogram, Statistics, to_float, to_int16

if TYPE_CHECKING:  # features import JAX, which describing data must not
    from gan_jax.features.network import FeatureNetwork

# Of logarithms of magnitudes. Those in float32 are smaller, and deviations are at least 1e-6, but
# for rounding.
LARGEST_STATISTIC, LEAST_DEVIATION = 100, 1e-7


@dataclass(frozen=True)
class Audio:
    """Recordings of one length: plain values that say what they are, read when first used.

    Implements `gan_jax.data.dataset.Dataset`. Stored are waveforms, int16 [length, 1], also where
    samples are spectrograms, so that the same feature networks take them all.

    Attributes:
        source: where the recordings come from.
        rate: samples a second, in Hz.
        length: samples of a recording.
        labels: whether batches carry the class of each recording as their condition.
        spectrogram: None for samples that are waveforms, float32 [length, 1] in [-1, 1]; a
            `Spectrogram` for samples that are images, float32 [frequencies, frames, 1] in [-1, 1].
    """

    source: AudioFolder
    rate: int
    length: int
    labels: bool = False
    spectrogram: Any = None

    samples_per_page = 16
    suffixes = (".png", ".wav", ".html", "")
    final_suffixes = (".html",)

    # Of a run, see `with_fitted`. No field, so that data with and without it are equal.
    _statistics = None

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "rate", at_least=1, below=MOST_HZ)
        check_bounds(self, "length", at_least=1)
        form = self.spectrogram
        if form is not None and not isinstance(form, Spectrogram):
            raise RequestError(f"Audio.spectrogram = {form!r}: must be None or a Spectrogram(...)")
        if form is not None:
            form.shape(self.length)  # raises where it does not fit

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample, known without reading anything."""
        form = self.spectrogram
        return (self.length, 1) if form is None else form.shape(self.length)

    @property
    def stored(self) -> Stored:
        """Shape and type of one waveform, known without reading anything."""
        return Stored((self.length, 1), "int16")

    @property
    def split(self) -> str:
        """Which part of the recordings these are; "all" where none are held out."""
        return self.source.part if self.source.held_out_values else "all"

    @property
    def count(self) -> int:
        """Number of recordings."""
        return len(self.load().sample)

    @property
    def classes(self) -> int:
        """Number of classes; 0 where the recordings have none."""
        return len(self.class_names)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class; empty where the recordings have none."""
        return self.load().class_names

    def load(self) -> Examples:
        """Returns all recordings; they are read once in the life of a process.

        Raises:
            RequestError: they are missing or unreadable, or lack the labels asked for.
        """
        recordings = read(self.source, self.rate, self.length)
        if self.labels and recordings.label is None:
            raise RequestError(
                f"labels is True, but there are none in {self.source}: {recordings.unlabelled}"
            )
        return recordings

    def fingerprint(self) -> str:
        """Returns number and checksum of the waveforms, and of the labels if they are used."""
        recordings = self.load()
        checksum = zlib.crc32(recordings.sample)
        if self.labels:
            checksum = zlib.crc32(recordings.label, checksum)
        return f"{self.count} recordings, checksum {checksum:08x}"

    def fitted(self) -> dict[str, Any] | None:
        """Returns the statistics of spectrograms, which samples are turned into waveforms with."""
        if self.spectrogram is None:
            return None
        return {name: part.tolist() for name, part in self.statistics()._asdict().items()}

    def with_fitted(self, fitted: dict[str, Any]) -> Self:
        """Returns these data with the statistics of a run, for which no recordings are read."""
        try:
            parts = [np.array(fitted[name], np.float64) for name in Statistics._fields]
        except (KeyError, TypeError, ValueError, OverflowError):
            parts = []
        shape, largest = self.sample_shape[:1], LARGEST_STATISTIC
        right = parts and all(p.shape == shape and (abs(p) < largest).all() for p in parts)
        if not right or parts[1].min() < LEAST_DEVIATION:
            raise RequestError(
                f"means and deviations of the {shape[0]} frequencies of spectrograms are not "
                "recorded, or not possible"
            )
        copy, statistics = replace(self), Statistics(*(part.astype(np.float32) for part in parts))
        object.__setattr__(copy, "_statistics", statistics)
        return copy

    def held_out(self) -> Self | None:
        """Describes the recordings that are held out, in the same form; None without any."""
        source = self.source.held_out()
        return None if source is None else replace(self, source=source)

    def features(self) -> "FeatureNetwork | None":
        """Returns the bundled classifier if the classes are the ten digits and the rate is its own.

        None for others.
        """
        from gan_jax.features import spoken_digits

        network = spoken_digits()
        description = network.description
        if self.class_names != description.class_names or self.rate != description.sound.rate:
            return None
        return network

    def indices(self, seed: int, step: int, batch_size: int) -> Int32[np.ndarray, " batch"]:
        """Returns which recordings form a batch; see `order.batch_indices`."""
        return batch_indices(self.count, seed, step, batch_size)

    def gather(self, indices: Int32[np.ndarray, " batch"]) -> RawBatch:
        """Returns the waveforms at the given positions, and their labels or None."""
        recordings = self.load()
        label = None if recordings.label is None else recordings.label[indices]
        return {"sample": recordings.sample[indices], "label": label}

    def prepare(self, raw: RawBatch) -> dict[str, Any]:
        """Returns a gathered batch as networks take it: pure, for NumPy and JAX arrays alike.

        The first use of spectrograms reads the recordings to train on, for their statistics.
        """
        if self.spectrogram is None:
            sample = to_float(raw["sample"])
        else:
            sample = self.spectrogram.to_images(raw["sample"], self.statistics())
        return {"sample": sample, "condition": raw["label"] if self.labels else None}

    def batch(self, seed: int, step: int, batch_size: int) -> dict[str, Any]:
        """Returns the prepared batch of one step in NumPy: a pure function of its arguments."""
        return self.prepare(self.gather(self.indices(seed, step, batch_size)))

    def to_stored(
        self, samples: Float32[np.ndarray, "count ..."]
    ) -> Int16[np.ndarray, "count length 1"]:
        """Returns finite samples as waveforms."""
        if self.spectrogram is None:
            return to_int16(samples)
        return self.spectrogram.to_waveforms(samples, self.statistics())

    def page(
        self, samples: Float32[np.ndarray, "count ..."], columns: int | None = None
    ) -> UInt8[np.ndarray, "height width 1"]:
        """Lays spectrograms out in a grid, with what their axes are below.

        Waveforms are transformed for the page; spectrograms are shown as they are.
        """
        page = grids.grid(self._pictures(samples), columns)
        return audio_files.captioned(page, self.length / self.rate, self.rate)

    def cells(
        self, page: UInt8[np.ndarray, "height width 1"], columns: int
    ) -> UInt8[np.ndarray, "count height width 1"]:
        """Cuts a page into its spectrograms."""
        form = self.spectrogram or audio_files.DISPLAYED
        shape = (form.window // 2, -(-self.length // form.hop), 1)
        page = audio_files.without_caption(page, self.length / self.rate, self.rate)
        return grids.cells(page, columns, shape)

    def write(
        self,
        parts: Iterable[Float32[np.ndarray, "_part ..."]],
        path: Path,
        columns: int | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        """Writes a page, .png; see `Dataset.write`.

        .wav has all samples one after another, with pauses, a new folder a file for each, and .html
        a page with players.
        """
        check_path(path, self.suffixes)
        kind = path.suffix.lower()
        if kind == ".png":
            grids.save_png(self.page(np.concatenate(list(parts)), columns), path)
        elif kind == ".wav":
            audio_files.write_joined(map(self.to_stored, parts), path, self.rate)
        elif kind == ".html":
            samples = np.concatenate(list(parts))
            pictures = self._pictures(samples)
            audio_files.write_players(
                self.to_stored(samples), pictures, path, self.rate, class_names
            )
        else:
            audio_files.write_folder(map(self.to_stored, parts), path, self.rate, class_names)

    def read(self, paths: Sequence[Path], largest: int | None = None) -> Files:
        """Returns recordings as samples, cut, filled and normalised as those of `source` are.

        A silent one stays silent; see `Dataset.read`.
        """
        names, stored = audio_files.read_files(paths, self.rate, self.length, self.source, largest)
        return Files(names, self.prepare({"sample": stored, "label": None})["sample"])

    def statistics(self) -> Statistics:
        """Returns those of the spectrograms to train on; reads them if no run has recorded them."""
        if self._statistics is not None:
            return self._statistics
        training = replace(self.source, part="train")
        return _measured(replace(self, source=training, labels=False))

    def _pictures(
        self, samples: Float32[np.ndarray, "count ..."]
    ) -> UInt8[np.ndarray, "count frequencies frames 1"]:
        if self.spectrogram is None:
            magnitudes = audio_files.displayed_magnitudes(self.to_stored(samples))
        else:
            magnitudes = self.spectrogram.magnitudes(samples, self.statistics())
        return audio_files.pictures(magnitudes)


def folder(
    path: str | os.PathLike[str],
    rate: int = 8000,
    length: int = 8192,
    labels: bool = False,
    pattern: str | None = None,
    held_out: str | None = None,
    place: Literal["start", "loudest", "random"] = "start",
    seed: int = 0,
    normalise: bool = False,
    corrupt: Literal["skip", "refuse"] = "skip",
) -> Audio:
    """Describes the recordings in a folder as waveforms.

    Args:
        path: the folder, with .wav, .flac or .ogg files in it and below it.
        rate: samples a second, to which all are resampled, in Hz.
        length: samples to which all are cut or filled with zeros.
        labels: whether batches carry the class of each recording as their condition.
        pattern: what the names of the files mean, '{label}_{speaker}_{take}' for example.
        held_out: a field of the pattern and its values, 'speaker=anna,tom' for example.
        place: where recordings of another length are cut or filled.
        seed: of random places.
        normalise: whether to scale each so that its peak is full scale.
        corrupt: what to do about a file that cannot be read: 'skip' or 'refuse'.

    `AudioFolder` has each of the last six in full.

    Raises:
        RequestError: An argument has the wrong type or value. What is wrong with the files is
            reported when they are read.
    """
    where = os.fspath(path) if isinstance(path, os.PathLike) else path
    source = AudioFolder(
        where,
        pattern,
        held_out,
        place=place,
        seed=seed,
        normalise=normalise,
        corrupt=corrupt,
    )
    return Audio(source, rate, length, labels)


def spectrogram(waveforms: Audio, form: Spectrogram | None = None) -> Audio:
    """Describes waveforms as spectrograms.

    Args:
        waveforms: what `folder` returns.
        form: of which form they are; `Spectrogram()` if None.

    Raises:
        RequestError: an argument is something else, or the form's hop does not divide the length.
    """
    if not isinstance(waveforms, Audio):
        raise RequestError(f"waveforms = {waveforms!r}: must be what audio.folder returns")
    return replace(waveforms, spectrogram=Spectrogram() if form is None else form)


@functools.lru_cache(maxsize=4)
def _measured(audio: Audio) -> Statistics:
    return audio.spectrogram.measure(audio.load().sample)
