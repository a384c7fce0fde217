"""What a run shows of itself while it trains: pages of samples and film strips."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, UInt8

from gan_jax import gan
from gan_jax.data.grids import (
    STRIP_COLUMNS,
    cell,
    film_strip,
    grid,
    labelled,
    read_png,
    save_png,
    to_pixels,
)
from gan_jax.experiment import Experiment
from gan_jax.runs import RunDirectory
from gan_jax.sampling import samples

SHOWN, SHOWN_COLUMNS = 64, 8  # fixed latents of the grids that a run makes while it trains


SHOWN_TOGETHER = 1024  # in a picture of all of them


FINAL, FINAL_COLUMNS = 16, 4  # of them, those of the grid at the end


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


def _of_images(experiment: Experiment) -> bool:
    return not hasattr(experiment.data, "picture")
