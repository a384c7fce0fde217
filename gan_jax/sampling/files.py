"""Drawn samples as files: for people in the way of their data, for programs as NumPy arrays."""

import io
import math
import shutil
from pathlib import Path

import numpy as np
from jaxtyping import Array, Float, Float32, Int32

from gan_jax.common.files import followed, write_atomically
from gan_jax.common.memory import check_fits
from gan_jax.data.dataset import check_path
from gan_jax.experiment import Experiment

ARRAYS = ".npz"


def check_file(experiment: Experiment, path: Path, count: int = 1) -> None:
    """Checks, before anything is drawn, that `save` can write so many samples to a path.

    Raises:
        RequestError: names the path, and what would be right, or how much room there is.
    """
    path = followed(path)
    check_path(path, (*experiment.data.suffixes, ARRAYS))
    if path.suffix.lower() == ARRAYS:  # how far pictures are compressed depends on what they show
        numbers = math.prod(experiment.data.sample_shape) + experiment.latent_size
        free = shutil.disk_usage(path.parent).free
        check_fits(
            f"{path}: a file of {count:,} samples", 4 * count * numbers, free, "room on the disk"
        )


def save(
    experiment: Experiment,
    samples: Float32[np.ndarray, "count ..."],
    path: Path | str,
    *,
    columns: int | None = None,
    latents: Float[Array | np.ndarray, "count latent"] | None = None,
    labels: Int32[np.ndarray, " count"] | None = None,
) -> None:
    """Writes samples, whole or not at all; a symbolic link counts as what it leads to.

    Args:
        experiment: the configuration.
        samples: as `sampling.draw` returns them.
        path: .png for a page of all of them, .npz for 'samples', 'latents' and 'labels' as arrays,
            or what else the data can be written to, see `Dataset.write`: images to a new folder.
        columns: of a page; if None, about as many as rows.
        latents: from which the samples were made, for .npz.
        labels: with which the samples were made, for .npz.

    Raises:
        RequestError: the path ends otherwise, its folder is missing, or it holds files already.
    """
    check_file(experiment, Path(path))
    path = followed(Path(path))
    if path.suffix.lower() != ARRAYS:
        experiment.data.write(samples, path, columns)
        return
    arrays = {"samples": samples, "latents": latents, "labels": labels}
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.asarray(of) for name, of in arrays.items() if of is not None})
    write_atomically(path, buffer.getvalue())
