"""Images from arrays: the bundled sample of MNIST, and .npz files."""

import importlib.resources
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from gan_jax.common.arrays_file import DamagedArraysError, read_arrays
from gan_jax.common.errors import RequestError
from gan_jax.common.memory import check_fits
from gan_jax.common.reading import open_regular
from gan_jax.common.validation import check_not_empty, check_types, nearest
from gan_jax.data.sources import classes, other_files
from gan_jax.data.sources.base import Examples, Shapes, Source
from gan_jax.data.sources.decode import fit

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MnistSample(Source):
    """The first 10,000 training images or all 10,000 test images of MNIST, which are bundled.

    MNIST's test images come writer by writer, so that their first part is no random sample. Here
    they are in random order, `np.random.default_rng(0).permutation(10_000)`.

    Attributes:
        split: 'train' or 'test'.
    """

    split: Literal["train", "test"] = "train"

    is_mnist = True

    def __post_init__(self):
        check_types(self)

    def examples(self, size: int, channels: int) -> Examples:
        """Returns the images and their labels."""
        resource = importlib.resources.files("gan_jax.data") / "mnist_sample.npz"
        with resource.open("rb") as file, np.load(file) as arrays:
            images, labels = arrays[f"{self.split}_images"], arrays[f"{self.split}_labels"]
        names = tuple(str(digit) for digit in range(10))
        return Examples(fit_all(images, size, channels), labels.astype(np.int32), names)

    def shapes(self) -> Shapes:
        """Returns MNIST's own shape."""
        return Shapes({(28, 28, 1): len(self.examples(28, 1).sample)})

    def held_out(self) -> Self | None:
        """Returns the test images for the training images, else None."""
        return MnistSample("test") if self.split == "train" else None


@dataclass(frozen=True)
class Arrays(Source):
    """Images of an .npz file, with labels if it has any.

    Attributes:
        path: file with `images`, uint8 [number, height, width] or [number, height, width,
            channels], and optionally `labels`, integers [number]; `classes.of_numbers` says which
            of them are classes.
    """

    path: str

    def __post_init__(self):
        check_types(self)
        check_not_empty(self, "path")

    def examples(self, size: int, channels: int) -> Examples:
        """Returns the images and their labels; RequestError where the file is not as described."""
        images, labels = self._read()
        if images.max() <= 1:
            _logger.warning("%s: all 'images' are 0 or 1; white is 255, not 1", self.path)
        sample = fit_all(images, size, channels)
        if labels is None:
            return Examples(sample, None, (), "the file holds no 'labels'")
        self._check_labels(labels, len(images))
        return classes.of_numbers(sample, labels)

    def shapes(self) -> Shapes:
        """Returns the shape that all images of the array have."""
        images, _ = self._read()
        number, height, width, *channels = images.shape
        return Shapes({(height, width, 1 if channels in ([], [1]) else 3): number})

    def _read(self) -> tuple[np.ndarray, np.ndarray | None]:
        path = Path(self.path).expanduser()
        if not path.exists():
            names = os.listdir(path.parent) if path.parent.is_dir() else ()
            hint = nearest(path.name, names)
            raise RequestError(f"path: {str(path)!r} is not a file; give an .npz file{hint}")
        try:
            with open_regular(path) as file:
                found = read_arrays(file, ("images", "labels").__contains__)
        except (DamagedArraysError, OSError, RequestError) as error:
            if path.is_file() and path.suffix.lower() != ".npz":
                raise RequestError(f"path: {self.path!r} {other_files.advice(path)}") from error
            raise self._wrong(f"cannot be read as .npz ({error})") from error
        if "images" not in found.arrays:
            raise self._wrong(f"holds {', '.join(found.names) or 'nothing'}, but no 'images'")
        self._check_images(found.arrays["images"])
        return found.arrays["images"], found.arrays.get("labels")

    def _check_images(self, images: np.ndarray) -> None:
        if images.dtype != np.uint8:
            raise self._wrong(f"holds 'images' of type {images.dtype}, not uint8 in [0, 255]")
        if images.ndim not in (3, 4) or 0 in images.shape:
            raise self._wrong(f"holds 'images' of shape {images.shape}")
        if images.ndim == 4 and images.shape[3] not in (1, 3, 4):
            raise self._wrong(f"holds 'images' with {images.shape[3]} channels, not 1, 3 or 4")

    def _check_labels(self, labels: np.ndarray, count: int) -> None:
        if not np.issubdtype(labels.dtype, np.integer) or labels.shape != (count,):
            raise self._wrong(
                f"holds 'labels' of type {labels.dtype} and shape {labels.shape}, "
                f"not integers of shape ({count},)"
            )

    def _wrong(self, found: str) -> RequestError:
        return RequestError(
            f"path: {self.path!r} {found}; right is an .npz with 'images', uint8 [number, height, "
            "width] or [number, height, width, channels], and optionally 'labels', integers "
            "[number]"
        )


def fit_all(
    images: UInt8[np.ndarray, "number height width *channels"], size: int, channels: int
) -> UInt8[np.ndarray, "number size size channels"]:
    """Returns images of one shape scaled, cropped and converted as `decode.fit` does each."""
    if images.ndim == 3:
        images = images[..., None]
    number, *shape = images.shape
    if shape == [size, size, channels]:
        return images
    if shape == [size, size, 1]:
        return np.repeat(images, channels, axis=3)
    needed = number * size * size * channels
    check_fits(f"size = {size}: scaling {number:,} images", needed)
    result = np.empty((number, size, size, channels), np.uint8)
    for row, image in zip(result, images, strict=True):
        row[:] = fit(Image.fromarray(image[..., 0] if shape[2] == 1 else image), size, channels)
    return result
