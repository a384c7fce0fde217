"""What every source of images gives: decoded pixels, labels, names of classes."""

import abc
import functools
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Int32, Shaped

# How many images have which height, width and channels (1 or 3), as they are before any scaling.
Shapes = Counter[tuple[int, int, int]]


@dataclass(frozen=True, eq=False)
class Examples:
    """All examples of a data set, decoded.

    Attributes:
        sample: as stored, pixels uint8 [number, size, size, channels] or waveforms int16 [number,
            length, 1]; may be a memory map, so read only.
        label: class of each example, int32 [number] in [0, len(class_names)), or None where the
            data have no labels.
        class_names: name of each class; empty where the data have no labels.
        unlabelled: why the data have no labels; empty where they have some.
    """

    sample: Shaped[np.ndarray, "number ..."]
    label: Int32[np.ndarray, " number"] | None
    class_names: tuple[str, ...]
    unlabelled: str = ""


class Source(abc.ABC):
    """Where images come from: the part of a description that differs from source to source.

    A base class, where a union would do, because command line overrides are typed by the instance
    at hand only for a subclass of what the field declares.

    Attributes:
        split: what the source calls this part of its images; "all" where it has no parts.
        is_mnist: whether these are MNIST's digits, for which a classifier is bundled.
    """

    split = "all"
    is_mnist = False

    @abc.abstractmethod
    def examples(self, size: int, channels: int) -> Examples:
        """Returns all images, each of shape (size, size, channels)."""

    @abc.abstractmethod
    def shapes(self) -> Shapes:
        """Counts the images by their own shape, without decoding them."""

    def held_out(self) -> Self | None:
        """Returns the source of the images set apart for testing; None where there are none."""
        return None


_loading = threading.Lock()


def load_once(source: Source, size: int, channels: int) -> Examples:
    """Returns the images of a source, read-only; decodes them once in the life of a process."""
    with _loading:  # so that threads wait for one another, and do not decode the same data twice
        return _load(source, size, channels)


@functools.cache
def _load(source: Source, size: int, channels: int) -> Examples:
    examples = source.examples(size, channels)
    for array in (examples.sample, examples.label):
        if array is not None:
            array.flags.writeable = False
    return examples
