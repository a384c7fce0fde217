"""What every kind of image data is turned into: decoded pixels, labels, names of classes."""

import abc
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Int32, UInt8


@dataclass(frozen=True, eq=False)
class Examples:
    """All examples of a data set, decoded.

    Attributes:
        sample: pixels, uint8 [number, size, size, channels]; may be a memory map, so read only.
        label: class of each example, int32 [number] in [0, len(class_names)), or None where the
            data has no labels.
        class_names: name of each class; empty where the data has no labels.
    """

    sample: UInt8[np.ndarray, "number size size channels"]
    label: Int32[np.ndarray, " number"] | None
    class_names: tuple[str, ...]


class Source(abc.ABC):
    """Where images come from: the part of a description that differs between kinds of data.

    A base class, where a union would do, because command line overrides are typed by the instance
    at hand only for a subclass of what the field declares.
    """

    @abc.abstractmethod
    def examples(self, size: int, channels: int) -> Examples:
        """Returns all images, each of shape (size, size, channels)."""

    def held_out(self) -> Self | None:
        """Returns where the images lie that were set apart for testing; None where none were."""
        return None
