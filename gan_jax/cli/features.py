"""`gan-jax features`: trains a feature network for evaluations."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from tyro.conf import Positional, arg

from gan_jax.cli.parsing import Command
from gan_jax.cli.shared import announce, check_key, check_out, check_range
from gan_jax.common.exit_codes import FINISHED, INTERRUPTED
from gan_jax.data.sources.decode import MOST_PIXELS


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
        from gan_jax.recognition import classifier_training
        from gan_jax.runtime import devices

        devices.configure()
        data = named.from_text(self.data, self.size, self.channels, self.most_pixels)
        pixels = f"{data.size} x {data.size} pixels, in {named.COLOURS[data.channels]}"
        announce(f"data: {dataset.in_words(data)}; {pixels}")
        try:
            made = classifier_training.make(data, self.data, out, self.epochs, self.seed)
        except KeyboardInterrupt:
            print("interrupted; nothing was written", file=sys.stderr)
            return INTERRUPTED
        print(
            f"{made.test_accuracy:.2%} of {made.test_count:,} test images right "
            f"({made.tested_on}); weights in {self.out}"
        )
        return FINISHED


FORMS = (Features,)
