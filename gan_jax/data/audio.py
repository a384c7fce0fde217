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
from gan_jax.common.memory import check_fits
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.data import audio_files, grids
from gan_jax.data.dataset import Files, RawBatch, Stored, check_path
from gan_jax.data.order import batch_indices
from gan_jax.data.sources.audio_folder import AudioFolder, Recordings, read
from gan_jax.data.sources.recording import MOST_HZ
from gan_jax.ops.audio_forms import Form, Spectrogram, Statistics, Waveform

if TYPE_CHECKING:  # features import JAX, which describing data must not
    from gan_jax.features.network import FeatureNetwork


@dataclass(frozen=True)
class Audio:
    """Recordings of one length: plain values that say what they are, read when first used.

    Implements `gan_jax.data.dataset.Dataset`. Stored are waveforms, int16 [length, 1], whatever
    form the samples have, so that the same feature networks take them all.

    Attributes:
        source: where the recordings come from.
        rate: samples a second, in Hz.
        length: samples of a recording.
        labels: whether batches carry the class of each recording as their condition.
        form: what samples are: `Waveform()`, float32 [length, 1], or `Spectrogram(...)`, float32
            [frequencies, frames, 1], both in [-1, 1].
    """

    source: AudioFolder
    rate: int
    length: int
    labels: bool = False
    form: Form = Waveform()

    samples_per_page = 16
    suffixes = (".png", ".wav", ".html", "")
    final_suffixes = (".html",)

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "rate", at_least=1, below=MOST_HZ)
        check_bounds(self, "length", at_least=1)
        self.form.check(self.length)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample, known without reading anything."""
        return self.form.sample_shape(self.length)

    @property
    def needs_examples(self) -> bool:
        """Whether samples are spectrograms, which are standardised by those of the recordings."""
        return isinstance(self.form, Spectrogram)

    @property
    def stored(self) -> Stored:
        """Shape and type of one waveform, known without reading anything."""
        return Stored((self.length, 1), "int16")

    @property
    def split(self) -> str:
        """Which part of the recordings these are."""
        return self.source.part

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

    def load(self) -> Recordings:
        """Returns all recordings; they are read once in the life of a process.

        Raises:
            RequestError: they are missing or unreadable, or lack the labels asked for.
        """
        check_fits(f"length = {self.length}: every recording", 2 * self.length)
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

    def held_out(self) -> Self | None:
        """Describes the recordings that are held out, in the same form; None without any."""
        source = self.source.others()
        return None if source is None else replace(self, source=source)

    def features(self) -> "FeatureNetwork | None":
        """Returns the bundled classifier for digits that are spoken at its rate, else None."""
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
        sample = self.form.to_samples(raw["sample"], self.statistics())
        return {"sample": sample, "condition": raw["label"] if self.labels else None}

    def batch(self, seed: int, step: int, batch_size: int) -> dict[str, Any]:
        """Returns the prepared batch of one step in NumPy: a pure function of its arguments."""
        return self.prepare(self.gather(self.indices(seed, step, batch_size)))

    def to_stored(
        self, samples: Float32[np.ndarray, "count ..."]
    ) -> Int16[np.ndarray, "count length 1"]:
        """Returns finite samples as waveforms."""
        return self.form.to_stored(samples, self.statistics())

    def page(
        self, samples: Float32[np.ndarray, "count ..."], columns: int | None = None
    ) -> UInt8[np.ndarray, "height width 1"]:
        """Lays spectrograms out in a grid, with what their axes are below.

        Those of waveforms are made for the page; those that samples are themselves are shown.
        """
        page = grids.grid(self._pictures(samples), columns)
        return audio_files.captioned(page, self.length / self.rate, self.rate)

    def cells(
        self, page: UInt8[np.ndarray, "height width 1"], columns: int
    ) -> UInt8[np.ndarray, "count height width 1"]:
        """Cuts a page into its spectrograms."""
        form = self.form if isinstance(self.form, Spectrogram) else audio_files.FORM
        shape = (form.window // 2, -(-self.length // form.hop), 1)
        page = audio_files.without_caption(page, self.length / self.rate, self.rate)
        return grids.cells(page, columns, shape)

    def write(
        self,
        parts: Iterable[Float32[np.ndarray, "_part ..."]],
        path: Path,
        columns: int | None = None,
        names: Sequence[str] | None = None,
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
            audio_files.write_players(self.to_stored(samples), pictures, path, self.rate, names)
        else:
            audio_files.write_folder(map(self.to_stored, parts), path, self.rate, names)

    def read(self, paths: Sequence[Path], largest: int | None = None) -> Files:
        """Returns recordings as samples, cut or filled at their start; see `Dataset.read`."""
        names, stored = audio_files.read_files(paths, self.rate, self.length, self.source, largest)
        return Files(names, self.prepare({"sample": stored, "label": None})["sample"])

    def statistics(self) -> Statistics | None:
        """Returns what spectrograms are standardised with; reads the recordings to train on."""
        training = replace(self.source, part="train")
        return _measured(replace(self, source=training, labels=False))

    def _pictures(
        self, samples: Float32[np.ndarray, "count ..."]
    ) -> UInt8[np.ndarray, "count frequencies frames 1"]:
        if isinstance(self.form, Spectrogram):
            magnitudes = self.form.magnitudes(samples, self.statistics())
        else:
            magnitudes = audio_files.of_waveforms(self.to_stored(samples))
        return audio_files.pictures(magnitudes)


def folder(
    path: str | os.PathLike[str],
    rate: int = 8000,
    length: int = 8192,
    labels: bool = False,
    names: str | None = None,
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
        names: what the names of the files mean, '{label}_{speaker}_{take}' for example.
        held_out: 'speaker=anna,tom' for example.
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
        names,
        held_out,
        place=place,
        seed=seed,
        normalise=normalise,
        corrupt=corrupt,
    )
    return Audio(source, rate, length, labels)


def spectrogram(
    waveforms: Audio,
    window: int = 128,
    hop: int = 64,
    floor: float = 1e-2,
    clip: float = 3.0,
    iterations: int = 60,
) -> Audio:
    """Describes waveforms as spectrograms of window / 2 frequencies and length / hop frames.

    Args:
        waveforms: what `folder` returns.
        window: samples of a frame.
        hop: samples from one frame to the next.
        floor: is added to magnitudes before the logarithm; a full-scale sine has window / 4.
        clip: deviations from the mean that become 1.
        iterations: of Griffin and Lim's, by which waveforms are made of samples.

    Raises:
        RequestError: An argument has the wrong type or value, or hop does not divide the length.
    """
    if not isinstance(waveforms, Audio):
        raise RequestError(f"waveforms = {waveforms!r}: must be what audio.folder returns")
    return replace(waveforms, form=Spectrogram(window, hop, floor, clip, iterations))


@functools.lru_cache(maxsize=4)
def _measured(audio: Audio) -> Statistics | None:
    if isinstance(audio.form, Waveform):
        return None
    return audio.form.measure(audio.load().sample)
