"""Pictures: grids, film strips, and PNG files."""

import io
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from gan_jax.common.files import write_atomically

GAP = 2  # white pixels between the pictures of a grid


STRIP_ROWS, STRIP_COLUMNS = 8, 12  # latents and moments of a film strip


FONT_SIZES = range(12, 5, -1)  # of the step numbers, in pixels: the largest that fits its column


def to_pixels(samples: Float[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """Maps [-1, 1] to 0 ... 255."""
    return np.clip(np.rint((samples + 1) * 127.5), 0, 255).astype(np.uint8)


def grid(
    pixels: UInt8[np.ndarray, "count height width channels"], columns: int
) -> UInt8[np.ndarray, "grid_height grid_width channels"]:
    """Lays pictures out row by row with white gaps; the last row may be short."""
    count, height, width, channels = pixels.shape
    rows = -(-count // columns)
    page = np.full((rows * (height + GAP), columns * (width + GAP), channels), 255, np.uint8)
    for position, picture in enumerate(pixels):
        top, left = _corner(position, columns, height, width)
        page[top : top + height, left : left + width] = picture
    return page[:-GAP, :-GAP]


def film_strip(
    grids: list[UInt8[np.ndarray, "grid_height grid_width channels"]],
    shape: tuple[int, int, int],
    columns: int,
) -> UInt8[np.ndarray, "strip_height strip_width channels"]:
    """Shows how the same latents change over training: a row for each, time from left to right.

    Args:
        grids: pages of `grid`, in order of time.
        shape: of one picture in them.
        columns: of those grids.
    """
    cells = []
    for latent in range(STRIP_ROWS):
        cells += [cell(page, latent, columns, shape) for page in grids]
    return grid(np.stack(cells), len(grids))


def labelled(
    page: UInt8[np.ndarray, "height width channels"], labels: list[str]
) -> UInt8[np.ndarray, "labelled_height width channels"]:
    """Writes a label under each column of a page of `grid`, which stays as it is above them."""
    column = (page.shape[1] + GAP) / len(labels)
    fonts = [ImageFont.load_default(size) for size in FONT_SIZES]
    fitting = [font for font in fonts if max(map(font.getlength, labels)) <= column - 2 * GAP]
    font = (fitting or fonts[-1:])[0]
    line = Image.new("L", (page.shape[1], sum(font.getmetrics())), 255)
    for position, label in enumerate(labels):
        middle = (position + 0.5) * column - GAP / 2
        ImageDraw.Draw(line).text((middle, 0), label, fill=0, font=font, anchor="ma")
    text = np.repeat(np.asarray(line)[..., None], page.shape[-1], axis=-1)
    return np.concatenate([page, text])


def save_png(pixels: UInt8[np.ndarray, "height width channels"], path: Path | str) -> None:
    """Writes a grey or RGB picture, whole or not at all."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, "PNG")
    write_atomically(Path(path), buffer.getvalue())


def read_png(path: Path) -> UInt8[np.ndarray, "height width channels"]:
    """Reads what `save_png` wrote."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def cell(
    page: UInt8[np.ndarray, "grid_height grid_width channels"],
    position: int,
    columns: int,
    shape: tuple[int, int, int],
) -> UInt8[np.ndarray, "height width channels"]:
    """Cuts one picture of the given shape out of a page of `grid`."""
    height, width, _ = shape
    top, left = _corner(position, columns, height, width)
    return page[top : top + height, left : left + width]


def _corner(position: int, columns: int, height: int, width: int) -> tuple[int, int]:
    row, column = divmod(position, columns)
    return row * (height + GAP), column * (width + GAP)
