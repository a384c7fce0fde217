"""Decoding of any image into uint8 pixels of a given size and number of channels."""

from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from gan_jax.common.reading import open_regular

# For scaling in both directions: antialiased, and what StyleGAN's data are prepared with.
FILTER = Image.Resampling.LANCZOS
# An image of 8192 x 8192 pixels takes up to 1 GiB while it is decoded, and a folder's images are
# decoded by several threads.
MOST_PIXELS = 2**26
# `Image.open` would apply another limit, which holds for the whole process, and print a warning.
_BY_START = {
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"\xff\xd8\xff": JpegImageFile,
    b"GIF8": GifImageFile,
    b"BM": BmpImageFile,
}


class UnreadableError(Exception):
    """A file is not an image, is damaged or too large; the message names it."""


def open_image(path: Path, most_pixels: int = MOST_PIXELS) -> Image.Image:
    """Returns the decoded image, turned the way its camera says.

    Args:
        path: a PNG or JPEG file; of several images in it, the first is read.
        most_pixels: an image with more pixels is not decoded.

    Raises:
        UnreadableError: The file is missing, not a regular file, not a PNG or JPEG, damaged, or the
            image is too large.
    """
    try:
        with open_regular(path) as file:
            return ImageOps.exif_transpose(decoded(file, most_pixels))
    except UnreadableError as error:
        raise UnreadableError(f"{path} ({error})") from error
    except Exception as error:  # Pillow's decoders raise errors of many unrelated types.
        raise UnreadableError(f"{path} ({error or type(error).__name__})") from error


def decoded(
    file: BinaryIO, most_pixels: int = MOST_PIXELS, formats: Collection[str] = ("PNG", "JPEG")
) -> Image.Image:
    """Returns the first image of a file's content, if it has no more pixels than that.

    Raises:
        UnreadableError: It has more pixels, or another format; only the header was read.
        Exception: Whatever Pillow raises for damaged images.
    """
    start = file.read(max(map(len, _BY_START)))
    file.seek(0)
    kinds = [kind for known, kind in _BY_START.items() if start.startswith(known)]
    if not kinds or kinds[0].format not in formats:
        raise UnreadableError("neither PNG nor JPEG" if start else "the file is empty")
    image = kinds[0](file)
    if image.width * image.height > most_pixels:
        raise UnreadableError(
            f"{image.width} x {image.height} pixels, more than most_pixels = {most_pixels}: scale "
            "it down, or raise the limit with --most-pixels, or --data.source.most-pixels of an "
            "experiment"
        )
    image.load()
    return image


def fit(image: Image.Image, size: int, channels: int) -> UInt8[np.ndarray, "size size channels"]:
    """Returns an image's pixels, its shorter side scaled to `size` and its longer side cropped.

    The crop is central. Where the shorter side is `size` already nothing is resampled, else the
    filter is Lanczos with antialiasing. Transparent parts become white, 16-bit grey is scaled to 8
    bits, palettes are resolved. One channel is the luminance (ITU-R 601), of three a grey image
    repeats itself.

    Args:
        image: an image of any mode and size.
        size: height and width of the result.
        channels: 1 or 3.

    Returns:
        Pixels in [0, 255], uint8 [size, size, channels].
    """
    image = _eight_bits(image).convert("L" if channels == 1 else "RGB")
    if min(image.size) != size:
        image = ImageOps.fit(image, (size, size), method=FILTER)
    elif max(image.size) != size:
        left, upper = (image.width - size) // 2, (image.height - size) // 2
        image = image.crop((left, upper, left + size, upper + size))
    return np.asarray(image).reshape(size, size, channels)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Returns the image without transparency and with 8 bits a channel."""
    if image.mode.startswith("I;16"):
        deep = np.asarray(image).astype(np.uint32)
        # 65535 = 255 * 257, so this maps the full range onto the full range, rounded.
        return Image.fromarray(((deep + 128) // 257).astype(np.uint8))
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA"))
    return image
