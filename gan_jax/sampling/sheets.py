"""What a run shows of itself while it trains: pages of samples, and a film strip of them."""

from collections.abc import Callable

import numpy as np

from gan_jax import gan
from gan_jax.data.grids import STRIP_COLUMNS, film_strip, grid, labelled, read_png, save_png
from gan_jax.data.sources.decode import UnreadableError
from gan_jax.experiment import Experiment
from gan_jax.runs import RunDirectory
from gan_jax.sampling import samples

COLUMNS = 8  # of the pages that a run makes while it trains
FINAL, FINAL_COLUMNS = 16, 4  # cells of the last page that are shown at the end, and in a row


def save_step(
    experiment: Experiment, state: gan.GANState, directory: RunDirectory, step: int
) -> None:
    """Saves a page of the samples from a run's fixed latents at one step."""
    data = experiment.data
    drawn = samples.draw(experiment, state, data.samples_per_page, key=experiment.seed)
    save_png(data.page(drawn, COLUMNS), directory.step_picture(step))


def save_final(experiment: Experiment, directory: RunDirectory, say: Callable[[str], None]) -> None:
    """Saves the first cells of the last page, and a film strip of the pages.

    Pages that cannot be read, or have another size than the last one, are left out of the film
    strip, and `say` is told.
    """
    paths = directory.step_pictures()
    steps = list(paths)
    chosen = np.unique(np.linspace(0, len(steps) - 1, STRIP_COLUMNS).round().astype(int))
    pages = {}
    for step in (steps[i] for i in chosen):
        try:
            pages[step] = read_png(paths[step])
        except UnreadableError as error:
            say(f"left out of the film strip: {error}")
    if not pages:
        return
    newest = list(pages.values())[-1]
    for step in [step for step, page in pages.items() if page.shape != newest.shape]:
        say(f"left out of the film strip: {paths[step]}: has another size than the newest")
        del pages[step]
    over_time = np.stack([experiment.data.cells(page, COLUMNS) for page in pages.values()])
    final = over_time[-1, :FINAL]
    save_png(grid(final, min(FINAL_COLUMNS, len(final))), directory.final_picture)
    save_png(labelled(film_strip(over_time), [str(step) for step in pages]), directory.film_strip)
