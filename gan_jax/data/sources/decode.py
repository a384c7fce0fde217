"""Decoding of any image into uint8 pixels of a given size and number of channels."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from gan_jax.common.errors import UnreadableError
from gan_jax.common.reading import open_regular

# For scaling in both directions: antialiased, and what StyleGAN's data are prepared with.
FILTER = Image.Resampling.LANCZOS
# An image of 8192 x 8192 pixels takes up to 1 GiB while it is decoded, and a folder's images are
# decoded by several threads.
MOST_PIXELS = 2**26


class Format(NamedTuple):
    """A format of image files.

    Attributes:
        suffixes: endings of such files, in lower case.
        start: pattern of how their content begins.
        kind: what reads them. `Image.open` would try all that Pillow knows, among them formats that
            are programs, and apply another limit of pixels, for the whole process.
    """

    suffixes: tuple[str, ...]
    start: bytes
    kind: type[ImageFile]


FORMATS = (
    Format((".png",), rb"\x89PNG\r\n\x1a\n", PngImageFile),
    Format((".jpg", ".jpeg", ".jpe", ".jfif"), rb"\xff\xd8\xff", JpegImageFile),
    Format((".webp",), rb"RIFF....WEBP", WebPImageFile),
    Format((".gif",), rb"GIF8", GifImageFile),
    Format((".bmp",), rb"BM", BmpImageFile),
    Format((".tif", ".tiff"), rb"II[*+]\0|MM\0[*+]", TiffImageFile),
    Format((".avif",), rb"....ftypavi[fs]", AvifImageFile),
    Format((".jp2", ".j2k"), rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", Jpeg2KImageFile),
    Format((".ppm", ".pgm", ".pbm", ".pnm"), rb"P[1-6]\s", PpmImageFile),
)
SUFFIXES = tuple(suffix for each in FORMATS for suffix in each.suffixes)
SEVERAL = "several_images"
_PNG_DEPTH = 24  # position of the byte that says how many bits a number of a PNG file has


def open_image(path: Path, most_pixels: int = MOST_PIXELS) -> Image.Image:
    """Returns the decoded image, turned the way its camera says.

    Args:
        path: a file of one of FORMATS, whatever its suffix; of several images in it, the first is
            read.
        most_pixels: an image with more pixels is not decoded.

    Raises:
        UnreadableError: The file is missing, not a regular file, of another format, damaged, or the
            image is too large.
    """
    return _from_file(path, lambda file: ImageOps.exif_transpose(decoded(file, most_pixels)))


def read_header(path: Path, most_pixels: int = MOST_PIXELS) -> Image.Image:
    """Returns an image that is not decoded: its size is known, and not which way it is turned.

    Raises:
        UnreadableError: as `open_image` does, but for damage beyond the header.
    """
    return _from_file(path, lambda file: opened(file, most_pixels))


def decoded(file: BinaryIO, most_pixels: int = MOST_PIXELS) -> Image.Image:
    """Returns the first image of a file's content, if it has no more pixels than that.

    Its `info[SEVERAL]` says whether there are others in the file.

    Raises:
        UnreadableError: It has more pixels, another format, or numbers that are not of pixels; only
            the header was read.
        Exception: Whatever Pillow raises for damaged images.
    """
    image = opened(file, most_pixels)
    several = getattr(image, "is_animated", False)
    image.load()
    if image.mode == "I":
        return Image.fromarray(np.asarray(image).astype(np.uint16))
    image.info[SEVERAL] = several
    return image


def opened(file: BinaryIO, most_pixels: int = MOST_PIXELS) -> ImageFile:
    """Returns the first image of a file's content, of which only the header was read.

    Raises:
        as `decoded` does.
    """
    start = file.read(32)
    file.seek(0)
    kinds = [each.kind for each in FORMATS if re.match(each.start, start, re.DOTALL)]
    if not kinds:
        known = ", ".join(each.kind.format for each in FORMATS)
        raise UnreadableError(f"not of the formats {known}" if start else "the file is empty")
    image = kinds[0](file)
    if image.width * image.height > most_pixels:
        raise UnreadableError(
            f"{image.width} x {image.height} pixels, more than most_pixels = {most_pixels}: scale "
            "it down, or raise the limit with --most-pixels, or --data.source.most-pixels of an "
            "experiment"
        )
    # A PGM file of 16 bits has the mode I, too, and is scaled to them by Pillow.
    if image.mode in ("F", "LAB") or (image.mode == "I" and kinds[0] is not PpmImageFile):
        raise UnreadableError(
            f"of the mode {image.mode}: not grey levels or colours of 8 or 16 bits"
        )
    if kinds[0] is PngImageFile and "transparency" in image.info:
        image.info["transparency"] = _eight_bits_of(image, start[_PNG_DEPTH])
    return image


def channels_of(image: Image.Image) -> int:
    """Returns 1 for an image in grey, 3 for one in colour, of any mode."""
    return 1 if image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I") else 3


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


def _from_file(path: Path, read: Callable[[BinaryIO], Image.Image]) -> Image.Image:
    try:
        with open_regular(path) as file:
            return read(file)
    except UnreadableError as error:
        raise UnreadableError(f"{path} ({error})") from error
    except Exception as error:  # Pillow's decoders raise errors of many unrelated types.
        raise UnreadableError(f"{path} ({error or type(error).__name__})") from error


def _eight_bits(image: Image.Image) -> Image.Image:
    """Returns the image without transparency and with 8 bits a channel."""
    if image.mode.startswith("I;16"):
        deep = np.asarray(image).astype(np.uint32)
        # 65535 = 255 * 257, so this maps the full range onto the full range, rounded.
        grey = ((deep + 128) // 257).astype(np.uint8)
        grey[deep == image.info.get("transparency", -1)] = 255
        return Image.fromarray(grey)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA"))
    return image


def _eight_bits_of(image: Image.Image, depth: int) -> int | bytes | tuple[int, ...]:
    """Returns what a PNG file says is transparent in the numbers that Pillow gives its pixels.

    A grey level or colour is written with the bits of the file, which Pillow leaves as they are.
    """
    hidden = image.info["transparency"]
    if image.mode == "L":
        return hidden * 255 // (2**depth - 1)
    if image.mode == "RGB" and depth == 16:
        return tuple(number >> 8 for number in hidden)  # of each colour, Pillow keeps the high byte
    return hidden
