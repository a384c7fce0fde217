"""Stacked images: three grey images as the channels of one, with a class for each combination."""

import dataclasses
from dataclasses import dataclass
from itertools import product
from typing import Self

import numpy as np

from gan_jax.common.errors import RequestError
from gan_jax.common.memory import check_fits
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.data.sources.base import Examples, Shapes, Source

MOST_CLASSES = 100  # a million combinations


@dataclass(frozen=True)
class Stacked(Source):
    """Random triples of the images of a source, one in each colour channel.

    Stacked MNIST has 1,000 combinations of digits, of which one can count how many a generator
    makes (Metz et al., 2017, section 3.3.1).

    Attributes:
        source: where the grey images come from.
        count: how many triples are drawn, once: the data set.
        seed: seed of that draw.
    """

    source: Source
    count: int = 50_000
    seed: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "count", at_least=1)
        check_bounds(self, "seed", at_least=0)

    def examples(self, size: int, channels: int) -> Examples:
        """Returns the triples; the label of (a, b, c) is (a * classes + b) * classes + c."""
        if channels != 3:
            raise RequestError(f"channels = {channels}: stacked images have 3")
        needed = self.count * size * size * channels
        check_fits(
            f"Stacked.count = {self.count}: making so many images of {size} x {size}", needed
        )
        grey = self.source.examples(size, 1)
        chosen = np.random.default_rng(self.seed).integers(len(grey.sample), size=(self.count, 3))
        sample = np.stack([grey.sample[column, ..., 0] for column in chosen.T], axis=-1)
        if grey.label is None:
            return Examples(sample, None, (), grey.unlabelled)
        classes = len(grey.class_names)
        if classes > MOST_CLASSES:
            raise RequestError(
                f"stacked images of {classes} classes: {classes}^3 combinations are too many to "
                f"name; at most {MOST_CLASSES} classes, or labels left out"
            )
        label = (grey.label[chosen] * [classes**2, classes, 1]).sum(axis=1)
        names = tuple(" ".join(triple) for triple in product(grey.class_names, repeat=3))
        return Examples(sample, label.astype(np.int32), names)

    def shapes(self) -> Shapes:
        """Counts the grey images that the triples are made of, with the triples' channels."""
        grey = self.source.shapes()
        return Shapes({(height, width, 3): n for (height, width, _), n in grey.items()})

    def held_out(self) -> Self | None:
        """Returns as many triples of the images that the source holds out."""
        apart = self.source.held_out()
        return None if apart is None else dataclasses.replace(self, source=apart)
