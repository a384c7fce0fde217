"""Images for people to look at: grids, film strips, animations, and PNG files."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from gan_jax.common.errors import RequestError
from gan_jax.common.files import write_atomically
from gan_jax.data.sources.decode import open_image

GAP = 2  # white pixels between the images of a grid
STRIP_ROWS, STRIP_COLUMNS = 8, 12  # latents and steps of a film strip, at most
MOST_OF_GIF = 2**16 - 1  # pixels along a side
FONT_SIZES = range(12, 5, -1)  # of text beside a page, in pixels: the largest that fits
LONGEST_NAME = 16  # characters of the name of a row that are shown


def to_pixels(samples: Float[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """Maps [-1, 1] to the integers from 0 to 255; values outside are clipped."""
    return np.clip(np.rint((samples + 1) * 127.5), 0, 255).astype(np.uint8)


def grid(
    pixels: UInt8[np.ndarray, "count height width channels"], columns: int | None = None
) -> UInt8[np.ndarray, "grid_height grid_width channels"]:
    """Lays images out row by row with white gaps between them; the last row may be short.

    Args:
        pixels: the images.
        columns: images in a row; None makes about as many columns as rows.
    """
    count, height, width, channels = pixels.shape
    columns = columns or max(1, round(count**0.5))
    rows = -(-count // columns)
    page = np.full((rows * (height + GAP), columns * (width + GAP), channels), 255, np.uint8)
    for position, image in enumerate(pixels):
        row, column = divmod(position, columns)
        top, left = row * (height + GAP), column * (width + GAP)
        page[top : top + height, left : left + width] = image
    return page[:-GAP, :-GAP]


def cells(
    page: UInt8[np.ndarray, "grid_height grid_width channels"],
    columns: int,
    shape: tuple[int, int, int],
) -> UInt8[np.ndarray, "count height width channels"]:
    """Cuts a page of `grid` into its images; a short last row is filled up with white ones.

    Args:
        page: what `grid` returned.
        columns: images in a row of it.
        shape: of one image, (height, width, channels).
    """
    height, width, channels = shape
    rows = (page.shape[0] + GAP) // (height + GAP)
    padded = np.full((rows * (height + GAP), columns * (width + GAP), channels), 255, np.uint8)
    padded[: page.shape[0], : page.shape[1]] = page
    by_cell = padded.reshape(rows, height + GAP, columns, width + GAP, channels).swapaxes(1, 2)
    return by_cell[:, :, :height, :width].reshape(-1, *shape)


def film_strip(
    over_time: UInt8[np.ndarray, "steps cells height width channels"],
) -> UInt8[np.ndarray, "strip_height strip_width channels"]:
    """Shows how the first cells of a page change: a row for each, time from left to right.

    Args:
        over_time: cells of the pages of several steps, in order of time.
    """
    rows = over_time[:, :STRIP_ROWS].swapaxes(0, 1)
    return grid(rows.reshape(-1, *rows.shape[2:]), len(over_time))


def labelled(
    page: UInt8[np.ndarray, "height width channels"], labels: list[str]
) -> UInt8[np.ndarray, "labelled_height width channels"]:
    """Writes a label under each column of a page of `grid`, which stays as it is above them."""
    column = (page.shape[1] + GAP) / len(labels)
    font = _largest_font(lambda font: max(map(font.getlength, labels)) <= column - 2 * GAP)
    line = Image.new("L", (page.shape[1], sum(font.getmetrics())), 255)
    for position, label in enumerate(labels):
        middle = (position + 0.5) * column - GAP / 2
        ImageDraw.Draw(line).text((middle, 0), label, fill=0, font=font, anchor="ma")
    return np.concatenate([page, _in_channels(line, page.shape[-1])])


def with_row_names(
    page: UInt8[np.ndarray, "height width channels"], names: list[str], row_height: int
) -> UInt8[np.ndarray, "height named_width channels"]:
    """Writes names to the left of the first rows of a page of `grid`; long ones are cut.

    The font has Latin letters only: others are shown as boxes.

    Args:
        page: what `grid` returned, or that with labels under it.
        names: one for each row.
        row_height: of the images.
    """
    font = _largest_font(lambda font: font.size <= row_height)
    shown = [
        name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name in names
    ]
    margin = Image.new("L", (int(max(map(font.getlength, shown))) + 3 * GAP, page.shape[0]), 255)
    for position, name in enumerate(shown):
        middle = position * (row_height + GAP) + row_height / 2
        right = margin.width - 2 * GAP
        ImageDraw.Draw(margin).text((right, middle), name, fill=0, font=font, anchor="rm")
    return np.concatenate([_in_channels(margin, page.shape[-1]), page], axis=1)


def encode_png(pixels: UInt8[np.ndarray, "height width channels"]) -> bytes:
    """Returns the content of a PNG file that holds a grey or RGB image."""
    buffer = io.BytesIO()
    _picture(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def save_png(pixels: UInt8[np.ndarray, "height width channels"], path: Path | str) -> None:
    """Writes a grey or RGB image, whole or not at all."""
    write_atomically(Path(path), encode_png(pixels))


def save_gif(
    pages: Sequence[UInt8[np.ndarray, "height width channels"]],
    path: Path | str,
    seconds: Sequence[float],
) -> None:
    """Writes an animation of grey or RGB images that repeats for ever, whole or not at all.

    Args:
        pages: images of one size.
        path: of the file.
        seconds: how long each of them is shown.

    Raises:
        RequestError: the images are larger than a GIF can be.
    """
    height, width, _ = pages[0].shape
    if max(height, width) > MOST_OF_GIF:
        raise RequestError(
            f"{path}: pages of {width:,} x {height:,} pixels, and a GIF has at most "
            f"{MOST_OF_GIF:,} along each side: show fewer samples"
        )
    first, *others = map(_picture, pages)
    durations = [round(1000 * time) for time in seconds]
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=others, duration=durations, loop=0)
    write_atomically(Path(path), buffer.getvalue())


def read_png(path: Path) -> UInt8[np.ndarray, "height width channels"]:
    """Reads what `save_png` wrote; UnreadableError where the file is missing, damaged or huge."""
    pixels = np.asarray(open_image(path))
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _largest_font(fits: Callable[[ImageFont.FreeTypeFont], bool]) -> ImageFont.FreeTypeFont:
    """Returns the largest font that fits, or the smallest one if none does."""
    fonts = [ImageFont.load_default(size) for size in FONT_SIZES]
    return next(filter(fits, fonts), fonts[-1])


def _in_channels(grey: Image.Image, channels: int) -> UInt8[np.ndarray, "height width {channels}"]:
    return np.repeat(np.asarray(grey)[..., None], channels, axis=-1)


def _picture(pixels: UInt8[np.ndarray, "height width channels"]) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
