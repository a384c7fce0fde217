"""Which examples of each class are chosen, where only some of them are to be used."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from gan_jax.common.errors import RequestError
from gan_jax.data.sources.base import Examples


def choose(
    examples: Examples, per_class: int | Sequence[int], choice: int
) -> Int64[np.ndarray, " chosen"]:
    """Draws so many examples of each class, and returns their positions, class after class.

    Classes without any example are left out where all classes have the same number.

    The same seed chooses more of a class by adding to those that it chooses when fewer are wanted.

    Args:
        examples: with labels.
        per_class: how many of each class, or how many of which.
        choice: seed of which they are.

    Raises:
        RequestError: there are no labels, a class has too few examples, or `per_class` does not
            have one number for each class.
    """
    if examples.label is None:
        raise RequestError(f"per_class: the images have no labels: {examples.unlabelled}")
    names = examples.class_names
    counts = [per_class] * len(names) if isinstance(per_class, int) else per_class
    if len(counts) != len(names):
        raise RequestError(
            f"per_class = {per_class}: {len(counts)} numbers for {len(names)} classes"
        )
    order, positions = _permutation(len(examples.label), choice), []
    for number, (name, count) in enumerate(zip(names, counts, strict=True)):
        of_class = order[examples.label[order] == number]
        if not len(of_class) and isinstance(per_class, int):
            continue  # a class that only its name declares
        if len(of_class) < count:
            raise RequestError(
                f"per_class = {per_class}: the class {name!r} has only {len(of_class)} images"
            )
        positions.append(of_class[:count])
    return np.concatenate(positions)


def _permutation(count: int, choice: int) -> Int64[np.ndarray, " count"]:
    # Of raw draws, as NumPy does not guarantee the algorithm of Generator.permutation.
    stream = np.random.PCG64(np.random.SeedSequence(choice))
    return np.argsort(stream.random_raw(count), kind="stable")
