"""Images from arrays: the bundled sample of MNIST, and .npz files."""

import importlib.resources
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
from gan_jax.data.sources.base import Examples, Source
from gan_jax.data.sources.decode import fit

MOST_CLASSES = 100_000  # unless there are more images; every class has a name in memory


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

    def held_out(self) -> Self | None:
        """Returns the test images for the training images, else None."""
        return MnistSample("test") if self.split == "train" else None


@dataclass(frozen=True)
class Arrays(Source):
    """Images of an .npz file, with labels if it has any.

    Attributes:
        path: file with `images`, uint8 [number, height, width] or [number, height, width,
            channels], and optionally `labels`, integers [number] from 0 on, below MOST_CLASSES or
            the number of images, whichever is larger.
    """

    path: str

    def __post_init__(self):
        check_types(self)
        check_not_empty(self, "path")

    def examples(self, size: int, channels: int) -> Examples:
        """Returns the images and their labels; RequestError where the file is not as described."""
        images, labels = self._read()
        self._check_images(images)
        sample = fit_all(images, size, channels)
        if labels is None:
            return Examples(sample, None, ())
        self._check_labels(labels, len(images))
        names = tuple(str(label) for label in range(int(labels.max()) + 1))
        return Examples(sample, labels.astype(np.int32), names)

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
            raise self._wrong(f"cannot be read as .npz ({error})") from error
        if "images" not in found.arrays:
            raise self._wrong(f"holds {', '.join(found.names) or 'nothing'}, but no 'images'")
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
        most = max(count, MOST_CLASSES)
        if labels.min() < 0 or labels.max() >= most:
            raise self._wrong(
                f"holds labels from {labels.min()} to {labels.max()}, not from 0 to {most - 1} at "
                "most: number the classes from 0 on"
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
