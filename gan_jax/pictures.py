"""Pictures: grids of samples, film strips, PNG files, and those that a run makes of itself."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from gan_jax import gan, samples
from gan_jax.experiment import Experiment
from gan_jax.files import write_atomically
from gan_jax.runs import RunDirectory

GAP = 2  # white pixels between the pictures of a grid
STRIP_ROWS, STRIP_COLUMNS = 8, 12  # latents and moments of a film strip
SHOWN, SHOWN_COLUMNS = 64, 8  # fixed latents of the grids that a run makes while it trains
SHOWN_TOGETHER = 1024  # in a picture of all of them
FINAL, FINAL_COLUMNS = 16, 4  # of them, those of the grid at the end
FONT_SIZES = range(12, 5, -1)  # of the step numbers, in pixels: the largest that fits its column


def save_step(
    experiment: Experiment, state: gan.GANState, directory: RunDirectory, step: int
) -> None:
    """Saves a picture of a run's fixed latents at one step."""
    count = SHOWN if _of_images(experiment) else SHOWN_TOGETHER
    drawn = samples.draw(experiment, state, count, key=experiment.seed)
    save_png(page(experiment, drawn, SHOWN_COLUMNS), directory.step_picture(step))


def page(
    experiment: Experiment, samples: Float[np.ndarray, "count ..."], columns: int
) -> UInt8[np.ndarray, "height width channels"]:
    """Shows samples: images in a grid, others as the data set's own `picture` of all of them."""
    if _of_images(experiment):
        return grid(to_pixels(samples), columns)
    return experiment.data.picture(samples)


def save_final(experiment: Experiment, directory: RunDirectory, say: Callable[[str], None]) -> None:
    """Saves the last grid's first pictures, and the film strip; leaves out what it cannot read."""
    paths = directory.step_pictures()
    steps = list(paths)
    chosen = np.unique(np.linspace(0, len(steps) - 1, STRIP_COLUMNS).round().astype(int))
    grids = {}
    for step in (steps[i] for i in chosen):
        try:
            grids[step] = read_png(paths[step])
        except OSError as error:
            say(f"left out of the film strip: {paths[step]}: {error}")
    if not grids:
        return
    newest = list(grids.values())[-1]
    for step in [step for step, page in grids.items() if page.shape != newest.shape]:
        say(f"left out of the film strip: {paths[step]}: has another size than the newest")
        del grids[step]
    pages = list(grids.values())
    if _of_images(experiment):
        shape = experiment.data.sample_shape
        last = [cell(pages[-1], position, SHOWN_COLUMNS, shape) for position in range(FINAL)]
        final, strip = grid(np.stack(last), FINAL_COLUMNS), film_strip(pages, shape, SHOWN_COLUMNS)
    else:
        final, strip = pages[-1], grid(np.stack(pages), len(pages))
    save_png(final, directory.final_picture)
    save_png(labelled(strip, [str(step) for step in grids]), directory.film_strip)


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


def _of_images(experiment: Experiment) -> bool:
    return not hasattr(experiment.data, "picture")


def _corner(position: int, columns: int, height: int, width: int) -> tuple[int, int]:
    row, column = divmod(position, columns)
    return row * (height + GAP), column * (width + GAP)
