"""Images of which only a few have a label: data for semi-supervised learning."""

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Int32

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds
from gan_jax.data.dataset import RawBatch
from gan_jax.data.images import Images
from gan_jax.data.order import batch_indices
from gan_jax.data.sources.base import Examples
from gan_jax.data.sources.choose import choose

UNKNOWN = -1  # the label of all others


@dataclass(frozen=True)
class FewLabels(Images):
    """Images that all are there to learn from, and of which some of each class have a label.

    Batches carry labels as targets of the discriminator's loss; networks are not conditioned on
    them. Every second example of a batch is one with a label, and the others are drawn from all
    images, most of whose labels are UNKNOWN.

    Attributes:
        per_class: how many images of each class have a label, at least 1.
        choice: seed of which they are.
    """

    per_class: int = 10
    choice: int = 0

    targets = True

    def __post_init__(self):
        super().__post_init__()
        check_bounds(self, "per_class", at_least=1)
        check_bounds(self, "choice", at_least=0)
        if self.labels:
            raise RequestError(
                "FewLabels.labels = True: networks are not conditioned on few labels; give "
                "labels=False"
            )

    def load(self) -> Examples:
        """Returns all images, with the labels that are known, and UNKNOWN for the others.

        Raises:
            RequestError: the images have no labels, or too few of a class.
        """
        return _with_few(self)

    def held_out(self) -> Images | None:
        """Describes the images that were set apart for testing, with all their labels."""
        source = self.source.held_out()
        return None if source is None else Images(source, self.size, self.channels)

    def fingerprint(self) -> str:
        """Returns number and checksum of the images, and which of them have a label."""
        known = np.flatnonzero(self.load().label != UNKNOWN)
        return f"{super().fingerprint()}, {len(known)} labels, sum of positions {known.sum()}"

    def indices(self, seed: int, step: int, batch_size: int) -> Int32[np.ndarray, " batch"]:
        """Returns which images form a batch: every second one has a label."""
        every_second = batch_size // 2
        found = np.empty(batch_size, np.int32)
        found[::2] = batch_indices(self.count, seed, step, batch_size - every_second)
        if every_second:
            known = np.flatnonzero(self.load().label != UNKNOWN)
            found[1::2] = known[_endless(len(known), seed, step * every_second, every_second)]
        return found

    def prepare(self, raw: RawBatch) -> dict[str, Any]:
        """Returns a gathered batch as networks take it, and 'label', the targets of the loss."""
        return super().prepare(raw) | {"label": raw["label"]}


def _endless(count: int, seed: int, start: int, size: int) -> Int32[np.ndarray, " size"]:
    """Positions from `start` on in an endless sequence of permutations of `count` examples."""
    first, last = start // count, (start + size - 1) // count
    epochs = [batch_indices(count, seed, epoch, count) for epoch in range(first, last + 1)]
    return np.concatenate(epochs)[start - first * count :][:size]


@functools.lru_cache(maxsize=4)
def _with_few(data: FewLabels) -> Examples:
    examples = Images(data.source, data.size, data.channels, labels=True).load()
    chosen = choose(examples, data.per_class, data.choice)
    label = np.full(len(examples.label), UNKNOWN, np.int32)
    label[chosen] = examples.label[chosen]
    return replace(examples, label=label)
