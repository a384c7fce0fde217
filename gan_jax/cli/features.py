"""`gan-jax features`: trains a feature network for evaluations."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from tyro.conf import Positional, arg

from gan_jax.cli.parsing import Command, options_of
from gan_jax.cli.shared import announce, check_key, check_out, check_range
from gan_jax.common.errors import RequestError
from gan_jax.common.exit_codes import FINISHED, INTERRUPTED
from gan_jax.data.sources.decode import MOST_PIXELS

HOP, SHORTEST = 64, 512  # of spectrograms, and of 8 frames of one, in samples

if TYPE_CHECKING:  # which import what takes seconds
    from gan_jax.data.audio import Audio
    from gan_jax.data.images import Images


@dataclasses.dataclass(frozen=True)
class Features(Command):
    """Train a classifier on labelled images; its activations are the features of evaluations."""

    USAGE: ClassVar[str] = "features DATA --out FILE"

    data: Annotated[Positional[str], arg(metavar="DATA")]
    """mnist_sample, a folder with one sub-folder for each class, an .npz file, or a data set of
    tensorflow-datasets, such as fashion_mnist; or inception, to download Inception-v3's weights."""
    out: Path
    """File for the weights: .npz, or .pth for those of Inception-v3."""
    size: int | None = None
    """Height and width in pixels to which the images are scaled and cropped; if not given, the one
    that all of them have."""
    channels: Literal[1, 3] | None = None
    """1 for greyscale, 3 for colour; if not given, 3 where any of them is in colour."""
    most_pixels: int = MOST_PIXELS
    """An image file with more pixels is left out, before it is decoded."""
    epochs: int = 15
    """Passes over the training images."""
    seed: int = 0
    """Seed of the training."""

    def run(self) -> int:
        """Trains the classifier, or downloads Inception-v3, and writes the weights."""
        if self.data == "inception":
            from gan_jax.features.inception_v3 import download

            download(self.out)
            return FINISHED
        out = check_out(self.out, ".npz")
        check_range("--epochs", self.epochs, 1)
        check_key("--seed", self.seed)
        from gan_jax.data import dataset, named

        data = named.from_text(self.data, self.size, self.channels, self.most_pixels)
        pixels = f"{data.size} x {data.size} pixels, in {named.COLOURS[data.channels]}"
        announce(f"data: {dataset.in_words(data)}; {pixels}")
        return _make(data, self.data, out, self.epochs, self.seed)

    @classmethod
    def fits(cls, words: Sequence[str]) -> bool:
        """Whether --sound is not given."""
        return "sound" not in options_of(words)


@dataclasses.dataclass(frozen=True)
class SoundFeatures(Command):
    """Train a classifier on labelled recordings, for the features of evaluations."""

    USAGE: ClassVar[str] = "features RECORDINGS --sound --out FILE"

    data: Annotated[Positional[Path], arg(metavar="RECORDINGS")]
    """A folder of recordings."""
    out: Path
    """File for the weights, .npz."""
    sound: bool = False
    """Whether these are recordings."""
    pattern: str | None = None
    """Of the names of the files: {label}_{speaker}_{take}, for example, where the field label is
    the class; if not given, sub-folders are the classes."""
    held_out: str | None = None
    """A field of the pattern and its values, speaker=anna for example, whose recordings are tested
    on; if not given, a tenth of all, which still count in the statistics of the spectrograms."""
    rate: int = 8000
    """Samples a second, to which recordings are resampled."""
    length: int = 4096
    """Samples to which the loudest part of each is cut, or to which it is filled."""
    epochs: int = 20
    """Passes over the recordings."""
    seed: int = 0
    """Seed of the training."""

    @classmethod
    def fits(cls, words: Sequence[str]) -> bool:
        """Whether --sound is given."""
        return "sound" in options_of(words)

    def run(self) -> int:
        """Trains the classifier, and writes the weights."""
        out = check_out(self.out, ".npz")
        check_range("--epochs", self.epochs, 1)
        check_range("--rate", self.rate, 1)
        check_range("--length", self.length, SHORTEST)
        if self.length % HOP:
            raise RequestError(f"--length {self.length}: must be a multiple of {HOP}")
        check_key("--seed", self.seed)
        from gan_jax.data import audio, dataset
        from gan_jax.ops.spectrograms import Spectrogram

        waveforms = audio.folder(
            self.data,
            self.rate,
            self.length,
            labels=True,
            pattern=self.pattern,
            held_out=self.held_out,
            place="loudest",
            normalise=True,
        )
        data = audio.spectrogram(waveforms, Spectrogram(2 * HOP, HOP))
        announce(f"data: {dataset.in_words(data)}; {self.length / self.rate:.2f} s each")
        return _make(data, str(self.data), out, self.epochs, self.seed)


def _make(data: "Images | Audio", name: str, out: Path, epochs: int, seed: int) -> int:
    from gan_jax.recognition import classifier_training
    from gan_jax.runtime import devices

    devices.configure()
    try:
        made = classifier_training.make(data, name, out, epochs, seed)
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED
    print(
        f"{made.test_accuracy:.2%} of {made.test_count:,} test examples right "
        f"({made.tested_on}); weights in {out}"
    )
    return FINISHED


FORMS = (Features, SoundFeatures)
