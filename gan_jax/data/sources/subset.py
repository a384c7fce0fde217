"""Some images of each class: what a generator learns from little, and what that is worth."""

import dataclasses
from dataclasses import dataclass

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.data.sources.base import Examples, Shapes, Source
from gan_jax.data.sources.choose import choose


@dataclass(frozen=True)
class Subset(Source):
    """So many images of each class of a source, chosen at random.

    What the source holds out is held out whole.

    Attributes:
        source: where the images come from; they have labels.
        per_class: how many of each class, at least 1, or how many of which, in the order of the
            classes.
        choice: seed of which they are; those of more images contain those of fewer.
    """

    source: Source
    per_class: int | tuple[int, ...]
    choice: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "choice", at_least=0)
        counts = (self.per_class,) if isinstance(self.per_class, int) else self.per_class
        if not counts or min(counts) < 1:
            raise RequestError(f"Subset.per_class = {self.per_class}: must be at least 1")

    @property
    def split(self) -> str:
        """Name of the part of the source's images."""
        return self.source.split

    @property
    def is_mnist(self) -> bool:
        """Whether these are some of MNIST's digits."""
        return self.source.is_mnist

    def examples(self, size: int, channels: int) -> Examples:
        """Returns the chosen images, class after class.

        Raises:
            RequestError: the images have no labels, or too few of a class.
        """
        found = self.source.examples(size, channels)
        chosen = choose(found, self.per_class, self.choice)
        return dataclasses.replace(found, sample=found.sample[chosen], label=found.label[chosen])

    def shapes(self) -> Shapes:
        """Counts the images of the whole source by shape, as only decoding tells the classes."""
        return self.source.shapes()

    def held_out(self) -> Source | None:
        """Returns the images that the source holds out."""
        return self.source.held_out()
