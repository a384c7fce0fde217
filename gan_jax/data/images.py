"""Images: `Images`, a frozen description, and a function for each place that they come from."""

import math
import os
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from jaxtyping import Float32, Int32, Integer, UInt8

from gan_jax.common.errors import RequestError
from gan_jax.common.memory import check_fits
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.data import grids, image_files
from gan_jax.data.dataset import Files, RawBatch, Stored, check_path
from gan_jax.data.order import batch_indices
from gan_jax.data.sources.arrays import Arrays, MnistSample
from gan_jax.data.sources.base import Examples, Source, load_once
from gan_jax.data.sources.decode import MOST_PIXELS
from gan_jax.data.sources.folder import Folder
from gan_jax.data.sources.mirrored import Mirrored
from gan_jax.data.sources.stacked import Stacked
from gan_jax.data.sources.subset import Subset
from gan_jax.data.sources.tfds import Tfds

if TYPE_CHECKING:  # features import JAX, which describing data must not
    from gan_jax.features.network import FeatureNetwork

FINGERPRINTED_BYTES = 2**28
LIKE_MNIST = ("mnist", "fashion_mnist", "kmnist", "emnist")  # in tfds: 28 x 28 pixels, grey


@dataclass(frozen=True)
class Images:
    """A data set of square images: plain values that say what it is, loaded when first used.

    Implements `gan_jax.data.dataset.Dataset`. Stored images are pixels, samples are in [-1, 1].

    Attributes:
        source: where the images come from.
        size: height and width to which the images are scaled and cropped, in pixels.
        channels: 1 for grey, 3 for colour.
        labels: whether batches carry the class of each image as their condition.
    """

    source: Source
    size: int
    channels: Literal[1, 3]
    labels: bool = False

    samples_per_page = 64
    suffixes = (".png", "")
    final_suffixes = ()

    def __post_init__(self):
        check_types(self)
        check_bounds(self, "size", at_least=1)

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """Shape of one image, (size, size, channels), known without loading anything."""
        return (self.size, self.size, self.channels)

    @property
    def stored(self) -> Stored:
        """Shape and type of one image as pixels, known without loading anything."""
        return Stored(self.sample_shape, "uint8")

    @property
    def split(self) -> str:
        """What the source calls this part of the images; "all" where there are no parts."""
        return self.source.split

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.load().sample)

    @property
    def classes(self) -> int:
        """Number of classes; 0 where the data have no labels."""
        return len(self.class_names)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class; empty where the data have no labels."""
        return self.load().class_names

    def load(self) -> Examples:
        """Returns all images, decoded on first use and kept for the life of the process.

        Raises:
            RequestError: The data are missing, unreadable, or lack the labels asked for.
        """
        self._check_size()
        examples = load_once(self.source, self.size, self.channels)
        if self.labels and examples.label is None:
            raise RequestError(
                f"labels is True, but there are none in {self.source}: {examples.unlabelled}"
            )
        return examples

    def fitted(self) -> None:
        """Returns None: the description says all that samples are written and read with."""

    def held_out(self) -> Self | None:
        """Describes the images that the data set's makers set apart for testing, if there are any.

        Returns:
            The images that `Source.held_out` names, of the same size, channels and labels; None
            where these are themselves for testing, or nothing was set apart.

        Raises:
            RequestError: The splits of a data set of tensorflow-datasets are unknown, as it is not
                prepared and cannot be.
        """
        source = self.source.held_out()
        return None if source is None else replace(self, source=source)

    def features(self) -> "FeatureNetwork | None":
        """Returns the bundled classifier for MNIST's digits at their own size, else None."""
        if not self.source.is_mnist or self.sample_shape != (28, 28, 1):
            return None
        from gan_jax.features import mnist

        return mnist()

    def fingerprint(self) -> str:
        """Returns number and checksum of the decoded images, and of the labels if they are used.

        Where the images take more than FINGERPRINTED_BYTES, the checksum is of every second, or
        third, and so on, until no more than that many are read.
        """
        examples = self.load()
        every = max(1, math.ceil(examples.sample.nbytes / FINGERPRINTED_BYTES))
        checksum = zlib.crc32(np.ascontiguousarray(examples.sample[::every]))
        if self.labels:
            checksum = zlib.crc32(examples.label, checksum)
        return f"{self.count} images, checksum {checksum:08x}"

    def indices(self, seed: int, step: int, batch_size: int) -> Int32[np.ndarray, "batch"]:
        """Returns which images form a batch; see `order.batch_indices`."""
        return batch_indices(self.count, seed, step, batch_size)

    def gather(self, indices: Integer[np.ndarray, "batch"]) -> RawBatch:
        """Returns the images at the given positions, as stored.

        Returns:
            'sample', uint8 [batch, size, size, channels], and 'label', int32 [batch] or None where
            the data have no labels.
        """
        examples = self.load()
        label = None if examples.label is None else examples.label[indices]
        return {"sample": examples.sample[indices], "label": label}

    def prepare(self, raw: RawBatch) -> dict[str, Any]:
        """Returns a gathered batch as networks take it: pure, for NumPy and JAX arrays alike.

        Args:
            raw: 'sample' uint8 [batch, size, size, channels] and 'label' int32 [batch] or None.

        Returns:
            'sample', float32 of the same shape in [-1, 1], and 'condition', the labels where
            `labels` is True, else None.
        """
        # sample / 127.5 - 1 to within 1e-7, in a form that has the same bits in NumPy and XLA,
        # which turns that division into a product and fuses the subtraction.
        sample = (raw["sample"].astype("float32") * 2 - 255) * (1 / 255)
        return {"sample": sample, "condition": raw["label"] if self.labels else None}

    def to_stored(
        self, samples: Float32[np.ndarray, "count size size channels"]
    ) -> UInt8[np.ndarray, "count size size channels"]:
        """Returns the pixels that finite samples round to."""
        return grids.to_pixels(samples)

    def page(
        self, samples: Float32[np.ndarray, "count size size channels"], columns: int | None = None
    ) -> UInt8[np.ndarray, "height width channels"]:
        """Lays samples out in a grid, row by row."""
        return grids.grid(self.to_stored(samples), columns)

    def cells(
        self, page: UInt8[np.ndarray, "height width channels"], columns: int
    ) -> UInt8[np.ndarray, "count size size channels"]:
        """Cuts a page into its images."""
        return grids.cells(page, columns, self.sample_shape)

    def write(
        self,
        parts: Iterable[Float32[np.ndarray, "_part size size channels"]],
        path: Path,
        columns: int | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        """Writes samples to a page, .png, or to a new folder of PNG files; see `Dataset.write`."""
        check_path(path, self.suffixes)
        if path.suffix:
            grids.save_png(self.page(np.concatenate(list(parts)), columns), path)
        else:
            image_files.write_images(map(self.to_stored, parts), path, class_names)

    def read(self, paths: Sequence[Path], largest: int | None = None) -> Files:
        """Returns image files as samples in [-1, 1]; see `image_files.read_images`."""
        self._check_size()
        most_pixels = MOST_PIXELS if largest is None else largest
        names, pixels = image_files.read_images(paths, self.size, self.channels, most_pixels)
        return Files(names, self.prepare({"sample": pixels, "label": None})["sample"])

    def batch(self, seed: int, step: int, batch_size: int) -> dict[str, Any]:
        """Returns the prepared batch of one step in NumPy: a pure function of its arguments."""
        return self.prepare(self.gather(self.indices(seed, step, batch_size)))

    def _check_size(self) -> None:
        check_fits(f"size = {self.size}: every image", self.size**2 * self.channels)


def mnist_sample(
    split: str = "train", channels: int = 1, size: int = 28, labels: bool = False
) -> Images:
    """Describes the bundled part of MNIST: 10,000 training images, and all test images.

    Args:
        split: 'train' or 'test'.
        channels: 1 for grey, 3 for grey repeated.
        size: height and width in pixels; 28 is the original.
        labels: whether batches carry the digit of each image as their condition.

    Raises:
        RequestError: An argument has the wrong type or value.
    """
    return Images(MnistSample(split), size, channels, labels)


def tfds(
    name: str,
    split: str = "train",
    size: int | None = None,
    channels: int | None = None,
    labels: bool = False,
    data_dir: str | os.PathLike[str] | None = None,
    most_pixels: int = MOST_PIXELS,
) -> Images:
    """Describes an image data set of tensorflow-datasets.

    MNIST and Fashion-MNIST are downloaded and prepared when first used, without TensorFlow; any
    other must have been prepared in the ArrayRecord format.

    Args:
        name: 'mnist', 'emnist/letters' or 'cifar10:3.0.2' for example.
        split: 'train', 'train[:1000]' or 'train+test' for example.
        size: height and width in pixels to which the images are scaled and cropped; may be left out
            for LIKE_MNIST only.
        channels: 1 for luminance, 3 for colour; may be left out likewise.
        labels: whether batches carry the class of each image as their condition.
        data_dir: root of all prepared data sets; None is the default of tensorflow-datasets, which
            the environment variable TFDS_DATA_DIR sets.
        most_pixels: an image with more pixels is refused, and not decoded.

    Raises:
        RequestError: An argument has the wrong type or value. An unknown name or split, and
            missing data that cannot be downloaded, are reported when the data are loaded.
    """
    source = Tfds(name, split, _text(data_dir), most_pixels)
    if re.split("[/:]", name)[0] in LIKE_MNIST:
        size, channels = 28 if size is None else size, 1 if channels is None else channels
    if size is None or channels is None:
        raise RequestError(
            f"images.tfds({name!r}): give size and channels, size=32 and channels=3 for example"
        )
    return Images(source, size, channels, labels)


def folder(
    path: str | os.PathLike[str],
    size: int,
    channels: int = 3,
    labels: bool = False,
    corrupt: str = "skip",
    most_pixels: int = MOST_PIXELS,
) -> Images:
    """Describes the images of a folder, with one sub-folder per class.

    Args:
        path: the folder, see `Folder`; if it holds images itself, none of them has a label.
        size: height and width in pixels to which the images are scaled and cropped.
        channels: 1 for luminance, 3 for colour.
        labels: whether batches carry the class of each image as their condition.
        corrupt: what to do about a file that cannot be read as an image: 'skip' leaves it out
            with a warning that names it, 'refuse' raises RequestError.
        most_pixels: an image with more pixels counts as one that cannot be read, and is not
            decoded.

    Raises:
        RequestError: An argument has the wrong type or value. A folder that is missing or holds no
            images is reported when the data are loaded.
    """
    return Images(Folder(_text(path), corrupt, most_pixels), size, channels, labels)


def arrays(path: str | os.PathLike[str], size: int, channels: int, labels: bool = False) -> Images:
    """Describes the images of an .npz file.

    Args:
        path: file with `images`, uint8 [number, height, width] or [number, height, width,
            channels], and optionally `labels`, integers [number]; see `Arrays`.
        size: height and width in pixels to which the images are scaled and cropped.
        channels: 1 for luminance, 3 for colour.
        labels: whether batches carry the label of each image as their condition.

    Raises:
        RequestError: An argument has the wrong type or value. A file that is missing or wrong is
            reported when the data are loaded.
    """
    return Images(Arrays(_text(path)), size, channels, labels)


def mirrored(images: Images) -> Images:
    """Describes images together with their mirror images: twice as many examples."""
    return replace(images, source=Mirrored(images.source))


def subset(images: Images, per_class: int | Sequence[int], choice: int = 0) -> Images:
    """Describes some images of each class, chosen at random; those held out stay all.

    Args:
        images: with labels, such as `tfds("mnist", labels=True)`.
        per_class: how many of each class, or how many of which, in the order of the classes.
        choice: seed of which they are; those of more images contain those of fewer.

    Raises:
        RequestError: An argument has the wrong type or value. Images without labels, and a class
            with fewer images, are reported when the data are loaded.
    """
    counts = tuple(per_class) if isinstance(per_class, list) else per_class
    return replace(images, source=Subset(images.source, counts, choice))


def stacked(images: Images, count: int = 50_000, labels: bool = False) -> Images:
    """Describes random triples of grey images as the channels of one: stacked MNIST.

    Args:
        images: what the triples are made of, `mnist_sample()` for example.
        count: how many triples.
        labels: whether batches carry the combination of the three classes as their condition.

    Raises:
        RequestError: the images are in colour.
    """
    if images.channels != 1:
        raise RequestError(f"images.channels = {images.channels}: only grey images can be stacked")
    return Images(Stacked(images.source, count), images.size, 3, labels)


def _text(path: object) -> object:
    return os.fspath(path) if isinstance(path, os.PathLike) else path
