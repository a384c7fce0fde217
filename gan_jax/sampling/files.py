"""Drawn samples as files: for people in the way of their data, for programs as NumPy arrays."""

import math
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Array, Float, Float32, Int32

from gan_jax.common.arrays_file import add_array
from gan_jax.common.errors import RequestError
from gan_jax.common.files import followed, open_atomically
from gan_jax.common.memory import check_fits
from gan_jax.data.dataset import check_path
from gan_jax.data.grids import save_gif
from gan_jax.experiment import Experiment

ARRAYS, ANIMATION = ".npz", ".gif"
FRAME_SECONDS = 0.05


def check_file(
    experiment: Experiment, path: Path, count: int = 1, *, as_stored: bool = False
) -> None:
    """Checks, before anything is drawn, that `save` can write so many samples to a path.

    Raises:
        RequestError: names the path, and what would be right, or how much room there is.
    """
    path = followed(path)
    check_path(path, (*experiment.data.suffixes, ARRAYS, ANIMATION))
    if path.suffix.lower() == ARRAYS:  # how far pictures are compressed depends on what they show
        shape, dtype = experiment.data.stored
        numbers = math.prod(experiment.data.sample_shape) + experiment.latent_size
        size = math.prod(shape) * np.dtype(dtype).itemsize if as_stored else 4 * numbers
        free = shutil.disk_usage(path.parent).free
        check_fits(f"{path}: a file of {count:,} samples", count * size, free, "room on the disk")


def save(
    experiment: Experiment,
    samples: Float32[np.ndarray, "count ..."],
    path: Path | str,
    *,
    columns: int | None = None,
    frames: int = 1,
    latents: Float[Array | np.ndarray, "count latent"] | None = None,
    labels: Int32[np.ndarray, " count"] | None = None,
    class_names: Sequence[str] = (),
) -> None:
    """Writes samples that `sampling.draw` has returned; see `save_parts` for the arguments."""
    save_parts(
        experiment,
        [samples],
        path,
        count=len(samples),
        columns=columns,
        frames=frames,
        latents=latents,
        labels=labels,
        class_names=class_names,
    )


def save_parts(
    experiment: Experiment,
    parts: Iterable[Float32[np.ndarray, "_part ..."]],
    path: Path | str,
    *,
    count: int,
    columns: int | None = None,
    frames: int = 1,
    latents: Float[Array | np.ndarray, "count latent"] | None = None,
    labels: Int32[np.ndarray, " count"] | None = None,
    class_names: Sequence[str] = (),
    as_stored: bool = False,
) -> None:
    """Writes samples, whole or not at all; a symbolic link counts as what it leads to.

    Args:
        experiment: the configuration.
        parts: as `sampling.in_parts` returns them; only for pages and animations are all of them in
            memory at once.
        path: .png for a page of all of them, .gif for an animation of pages, .npz for 'samples',
            'latents' and 'labels' as arrays, or what else the data can be written to, see
            `Dataset.write`: images to a new folder.
        count: how many samples there are in all.
        columns: of a page; if None, about as many as rows.
        frames: of an animation; its pages follow one another in `parts`, with equally many samples.
        latents: from which the samples were made, for .npz.
        labels: with which the samples were made, for .npz and the names of single files.
        class_names: name of each class, of which labels are the positions; empty for their numbers.
        as_stored: make an .npz file of 'arr_0', the samples as the data store them, and 'arr_1',
            the labels: of images, what the evaluator of Dhariwal and Nichol (2021) reads.

    Raises:
        RequestError: the path ends otherwise, its folder is missing, or it holds files already;
            samples are not finite, which only 'samples' may be; or they do not fill the frames.
    """
    check_file(experiment, Path(path), count, as_stored=as_stored)
    if count % frames:
        raise RequestError(f"{count} samples cannot be divided into {frames} pages of equal size")
    path, data = followed(Path(path)), experiment.data
    shown = _finite(parts)
    if path.suffix.lower() == ANIMATION:
        samples = np.concatenate(list(shown))
        pages = [data.page(of_page, columns) for of_page in np.split(samples, frames)]
        save_gif(pages, path, [FRAME_SECONDS] * frames)
        return
    if path.suffix.lower() != ARRAYS:
        data.write(shown, path, columns, _named(labels, class_names))
        return
    with open_atomically(path) as file, zipfile.ZipFile(file, "w") as archive:
        if as_stored:
            shape, dtype = data.stored
            add_array(archive, "arr_0", (count, *shape), dtype, map(data.to_stored, shown))
            beside = {"arr_1": labels}
        else:
            add_array(archive, "samples", (count, *data.sample_shape), "float32", parts)
            beside = {"latents": latents, "labels": labels}
        for name, array in beside.items():
            if array is not None:
                array = np.asarray(array)
                add_array(archive, name, array.shape, array.dtype.str, [array])


def _named(
    labels: Int32[np.ndarray, " count"] | None, class_names: Sequence[str]
) -> list[str] | None:
    if labels is None:
        return None
    return [class_names[label] if class_names else str(label) for label in labels]


def _finite(
    parts: Iterable[Float32[np.ndarray, "_part ..."]],
) -> Iterator[Float32[np.ndarray, "_part ..."]]:
    """Yields samples that can be shown and stored; those that are not finite have diverged."""
    for part in parts:
        if not np.isfinite(part).all():
            raise RequestError(
                "the samples are not finite: the run has diverged; sample an earlier checkpoint, "
                "with --step"
            )
        yield part
