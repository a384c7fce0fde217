"""Decoding of any image into uint8 pixels of a given size and number of channels."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

# For scaling in both directions: antialiased, and what StyleGAN's data are prepared with.
FILTER = Image.Resampling.LANCZOS


class UnreadableError(Exception):
    """A file is not an image, or is damaged; the message names it."""


def open_image(path: Path) -> Image.Image:
    """Returns the decoded image, turned the way its camera says.

    Raises:
        UnreadableError: The file is missing, not a PNG or JPEG, or damaged.
    """
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            image.load()
            return ImageOps.exif_transpose(image)
    except Exception as error:  # Pillow's decoders raise errors of many unrelated types.
        raise UnreadableError(f"{path} ({error})") from error


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
