"""Image files: one image each, single or in a folder."""

import itertools
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from gan_jax.common.errors import RequestError, UnreadableError
from gan_jax.common.files import write_folder_atomically
from gan_jax.data.file_names import numbered
from gan_jax.data.grids import encode_png
from gan_jax.data.sources.decode import MOST_PIXELS, SUFFIXES, fit, open_image
from gan_jax.data.sources.listing import expanded

_logger = logging.getLogger(__name__)


def read_images(
    paths: Sequence[Path], size: int, channels: int, most_pixels: int = MOST_PIXELS
) -> tuple[tuple[str, ...], UInt8[np.ndarray, "files size size channels"]]:
    """Returns the paths and the pixels of image files.

    Each file is one image; those of another size are scaled and cropped, with a warning.

    Args:
        paths: files of any of `decode.FORMATS`, and folders of such.
        size: height and width of the result.
        channels: 1 for grey, 3 for colour.
        most_pixels: a file with more pixels is refused, and not decoded.

    Raises:
        RequestError: A folder holds no image, or a file is missing, of another format, damaged or
            too large; names it.
    """
    files = expanded(paths, SUFFIXES, "image")
    pixels, scaled = [], []
    for file in files:
        try:
            image = open_image(file, most_pixels)
        except UnreadableError as error:
            raise RequestError(f"unreadable image {error}") from error
        if image.size != (size, size):
            scaled.append(file)
        pixels.append(fit(image, size, channels))
    if scaled:
        message = "not %s pixels, and scaled, each as one image: %s files, %s the first"
        _logger.warning(message, f"{size} x {size}", f"{len(scaled)} of {len(files)}", scaled[0])
    return tuple(map(str, files)), np.stack(pixels)


def write_images(
    parts: Iterable[UInt8[np.ndarray, "_part height width channels"]],
    folder: Path,
    class_names: Sequence[str] | None = None,
) -> None:
    """Writes a new folder with a PNG file for each image; see `numbered` for what they are called.

    Args:
        parts: the images.
        folder: the folder.
        class_names: name of each image's class, if it has one.
    """
    images = itertools.chain.from_iterable(parts)
    contents = ((f"{name}.png", encode_png(image)) for name, image in numbered(images, class_names))
    write_folder_atomically(folder, contents)
