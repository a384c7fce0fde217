"""What a run shows of itself while it trains: pages of samples, and films of them."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from gan_jax import gan
from gan_jax.common.errors import RequestError, UnreadableError
from gan_jax.common.files import followed
from gan_jax.data import grids
from gan_jax.data.dataset import check_path
from gan_jax.experiment import Experiment
from gan_jax.runs import RunDirectory
from gan_jax.sampling import samples
from gan_jax.sampling.files import ANIMATION, save

COLUMNS = 8  # of the pages that a run makes while it trains
FINAL, FINAL_COLUMNS = 16, 4  # cells of the last page that are shown at the end, and in a row
PAGE_SECONDS, LAST_SECONDS = 0.1, 2.0  # of a film


def save_step(
    experiment: Experiment, state: gan.GANState, directory: RunDirectory, step: int
) -> None:
    """Saves a page of the samples from a run's fixed latents at one step."""
    data = experiment.data
    drawn = samples.draw(experiment, state, data.samples_per_page, key=experiment.seed)
    grids.save_png(data.page(drawn, COLUMNS), directory.step_picture(step))


def save_final(
    experiment: Experiment,
    state: gan.GANState,
    directory: RunDirectory,
    say: Callable[[str], None],
) -> None:
    """Saves the first cells of the last page, and a film strip of the pages.

    With labels, the film strip has the name of its class beside each row. It leaves out pages that
    cannot be read or differ in size from the last one, and tells `say`. Data with files that show
    more than a page, such as sound, get these of the same samples as well.
    """
    data = experiment.data
    count = data.samples_per_page
    labels = samples.take_turns(experiment, count)
    names = () if labels is None else data.class_names
    if data.final_suffixes:
        drawn = samples.draw(experiment, state, count, key=experiment.seed)
        for suffix in data.final_suffixes:
            path = directory.final_picture.with_suffix(suffix)
            save(experiment, drawn, path, labels=labels, class_names=names)
    steps = list(directory.step_pictures())
    if not steps:  # somebody has removed them
        return
    chosen = np.linspace(0, len(steps) - 1, grids.STRIP_COLUMNS).round().astype(int)
    pages = _read(directory, [steps[i] for i in np.unique(chosen)], say)
    if not pages:
        return
    over_time = np.stack([data.cells(page, COLUMNS) for page in pages.values()])
    final = over_time[-1, :FINAL]
    grids.save_png(grids.grid(final, min(FINAL_COLUMNS, len(final))), directory.final_picture)
    strip = grids.labelled(grids.film_strip(over_time), [str(step) for step in pages])
    rows, height = over_time[0, : grids.STRIP_ROWS].shape[:2]
    if names and rows > 1:  # a page that is one cell shows all classes
        of_rows = [names[label] for label in labels[:rows]]
        strip = grids.with_row_names(strip, of_rows, height)
    grids.save_png(strip, directory.film_strip)


def save_film(directory: RunDirectory, path: Path, say: Callable[[str], None]) -> int:
    """Saves the pages that a run has made while it trained as an animation, and returns how many.

    Args:
        directory: of the run.
        path: .gif file.
        say: is told which pages are left out, as they cannot be read or have another size than the
            last one.

    Raises:
        RequestError: there is no page, the path ends otherwise, or its folder is missing.
    """
    path = followed(path)
    check_path(path, (ANIMATION,))
    pages = _read(directory, directory.step_pictures(), say)
    if not pages:
        raise RequestError(f"there is no picture of a step in {directory.step_picture(0).parent}")
    labelled = [grids.labelled(page, [f"step {step}"]) for step, page in pages.items()]
    grids.save_gif(labelled, path, [PAGE_SECONDS] * (len(pages) - 1) + [LAST_SECONDS])
    return len(pages)


def _read(
    directory: RunDirectory, steps: Iterable[int], say: Callable[[str], None]
) -> dict[int, UInt8[np.ndarray, "height width channels"]]:
    """Reads the pages of some steps, without those damaged or of another size than the newest."""
    paths, pages = directory.step_pictures(), {}
    for step in steps:
        try:
            pages[step] = grids.read_png(paths[step])
        except UnreadableError as error:
            say(f"left out of the film: {error}")
    newest = list(pages.values())[-1:]
    for step in [step for step, page in pages.items() if page.shape != newest[0].shape]:
        say(f"left out of the film: {paths[step]}: has another size than the newest")
        del pages[step]
    return pages
