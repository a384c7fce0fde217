"""Images of which only a few have a label: data for semi-supervised learning."""

import functools
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Int32, Int64, UInt8

from gan_jax.common.errors import RequestError
from gan_jax.common.memory import check_fits
from gan_jax.common.validation import check_bounds
from gan_jax.data.dataset import RawBatch
from gan_jax.data.images import Images
from gan_jax.data.order import batch_indices
from gan_jax.data.sources.base import Examples, Source
from gan_jax.data.sources.choose import choose

UNKNOWN = -1  # the label of all others


@dataclass(frozen=True)
class FewLabels(Images):
    """Images that all are there to learn from, and of which some of each class have a label.

    Batches carry labels as targets of the loss; networks are not conditioned on them. Every second
    example of a batch is one with a label, and the others are drawn from all images, and come
    without one. An epoch is as many examples of both kinds as there are images.

    Attributes:
        per_class: how many images of each class of the source have a label, at least 1; None for
            all of them.
        choice: seed of which they are.
        unlabelled: source of more images, whose labels are not looked at if they have any.
    """

    per_class: int | None = 10
    choice: int = 0
    unlabelled: Any = None  # no union: its fields could not be overridden on the command line

    targets = True

    def __post_init__(self):
        super().__post_init__()
        if self.per_class is not None:
            check_bounds(self, "per_class", at_least=1)
        check_bounds(self, "choice", at_least=0)
        if self.unlabelled is not None and not isinstance(self.unlabelled, Source):
            wrong = f"FewLabels.unlabelled = {self.unlabelled!r}"
            raise RequestError(f"{wrong}: must be None or a source of images")
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
        """Returns number and checksum of the images, and checksum of the labels that are known."""
        return f"{super().fingerprint()}, labels {zlib.crc32(self.load().label):08x}"

    def indices(self, seed: int, step: int, batch_size: int) -> Int32[np.ndarray, " batch"]:
        """Returns which images form a batch: every second one has a label.

        Raises:
            RequestError: the batch has fewer than two examples.
        """
        if batch_size < 2:
            raise RequestError(
                "batch_size = 1: few labels need an example with a label, and one without"
            )
        labelled = batch_size // 2
        found = np.empty(batch_size, np.int32)
        found[::2] = batch_indices(self.count, seed, step, batch_size - labelled)
        known = _known(self)
        found[1::2] = known[_endless(len(known), seed, step * labelled, labelled)]
        return found

    def prepare(self, raw: RawBatch) -> dict[str, Any]:
        """Returns a gathered batch as networks take it, and 'label', the targets of the loss.

        Of the examples at even positions these are UNKNOWN, although some of them may be known.
        """
        odd = np.arange(len(raw["label"])) % 2
        label = raw["label"] * odd + UNKNOWN * (1 - odd)
        return super().prepare(raw) | {"label": label.astype(np.int32)}


def few_labels(
    images: Images,
    per_class: int | None = 10,
    choice: int = 0,
    unlabelled: Images | None = None,
) -> FewLabels:
    """Describes images of which only some have a label, for `losses.SemiSupervised`.

    Args:
        images: with labels, such as `images.tfds("mnist")`, whatever their field `labels` says.
        per_class: how many images of each class keep their label; None for all of them.
        choice: seed of which they are.
        unlabelled: more images, of the same size and channels, which have no label.

    Raises:
        RequestError: An argument has the wrong type or value. Images without labels, and a class
            with fewer images, are reported when the data are loaded.
    """
    if not isinstance(images, Images):
        raise RequestError(f"few_labels({images!r}): takes images, images.tfds(...) for example")
    size, channels = images.size, images.channels
    more = None
    if unlabelled is not None:
        if not isinstance(unlabelled, Images):
            raise RequestError(
                f"few_labels(..., unlabelled={unlabelled!r}): must be None or images"
            )
        if (unlabelled.size, unlabelled.channels) != (size, channels):
            raise RequestError(
                f"unlabelled: images of size {unlabelled.size} with {unlabelled.channels} channels;"
                f" those with labels have size {size} and {channels}"
            )
        more = unlabelled.source
    return FewLabels(
        images.source, size, channels, per_class=per_class, choice=choice, unlabelled=more
    )


def _endless(count: int, seed: int, start: int, size: int) -> Int32[np.ndarray, " size"]:
    """Positions from `start` on in an endless sequence of permutations of `count` examples."""
    first, last = start // count, (start + size - 1) // count
    epochs = [batch_indices(count, seed, epoch, count) for epoch in range(first, last + 1)]
    return np.concatenate(epochs)[start - first * count :][:size]


@functools.lru_cache(maxsize=4)
def _with_few(data: FewLabels) -> Examples:
    examples = Images(data.source, data.size, data.channels, labels=True).load()
    chosen = np.arange(len(examples.label))
    if data.per_class is not None:
        chosen = choose(examples, data.per_class, data.choice)
    sample = examples.sample
    if data.unlabelled is not None:
        sample = _with_more(data.source, data.unlabelled, data.size, data.channels)
    label = np.full(len(sample), UNKNOWN, np.int32)
    label[chosen] = examples.label[chosen]
    label.flags.writeable = False
    return replace(examples, sample=sample, label=label)


@functools.lru_cache(maxsize=1)
def _with_more(
    source: Source, more: Source, size: int, channels: int
) -> UInt8[np.ndarray, "count size size channels"]:
    """Returns the images of two sources, one after the other."""
    first, second = (Images(each, size, channels).load().sample for each in (source, more))
    check_fits("unlabelled: these images and those with labels", first.nbytes + second.nbytes)
    whole = np.concatenate([first, second])
    whole.flags.writeable = False
    return whole


@functools.lru_cache(maxsize=4)
def _known(data: FewLabels) -> Int64[np.ndarray, " labelled"]:
    return np.flatnonzero(data.load().label != UNKNOWN)
