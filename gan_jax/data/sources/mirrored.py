"""Images together with their mirror images, left and right exchanged: twice as many examples."""

import dataclasses
from dataclasses import dataclass
from typing import Self

import numpy as np

from gan_jax.common.memory import check_fits
from gan_jax.common.validation import check_types
from gan_jax.data.sources.base import Examples, Shapes, Source


@dataclass(frozen=True)
class Mirrored(Source):
    """The images of a source, followed by their mirror images in the same order.

    For data whose mirror images might belong to them, as photographs' do and digits' do not; Karras
    et al. (2020a, section 4) call it data augmentation by x-flips. Scores of samples are against
    both, too.

    Attributes:
        source: where the images come from.
    """

    source: Source

    def __post_init__(self) -> None:
        check_types(self)

    @property
    def split(self) -> str:
        """Name of the part of the source's images."""
        return self.source.split

    def examples(self, size: int, channels: int) -> Examples:
        """Returns all images, then all mirror images, with the labels of both."""
        found = self.source.examples(size, channels)
        check_fits(f"mirroring {len(found.sample):,} images", 2 * found.sample.nbytes)
        sample = np.concatenate([found.sample, found.sample[:, :, ::-1]])
        label = None if found.label is None else np.concatenate([found.label, found.label])
        return dataclasses.replace(found, sample=sample, label=label)

    def shapes(self) -> Shapes:
        """Counts the images and their mirror images by the shape of the images."""
        found = self.source.shapes()
        return found + found

    def held_out(self) -> Self | None:
        """Returns the images that the source holds out, with their mirror images."""
        apart = self.source.held_out()
        return None if apart is None else dataclasses.replace(self, source=apart)
