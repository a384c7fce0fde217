"""What a data set must offer: the one contract between data and everything that uses them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float32, Int32

RawBatch = dict[str, Any]  # "sample": as stored [batch, ...]; "label": int32 [batch] or None


class Dataset(Protocol):
    """A frozen, hashable description of data, which loads when it is first used.

    Attributes:
        labels: whether batches carry the class of each example as their condition.
    """

    labels: bool

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one prepared sample, known without loading anything."""

    @property
    def stored_dtype(self) -> str:
        """Type of the numbers of one stored sample, likewise."""

    @property
    def count(self) -> int:
        """Number of examples."""

    @property
    def classes(self) -> int:
        """Number of classes; 0 where the data have no labels."""

    def load(self) -> Any:
        """Returns all examples as stored: `.sample` [count, ...] and `.label` [count] or None."""

    def fingerprint(self) -> str:
        """Returns a short text that other data would hardly have too: a run is held to it."""

    def indices(self, seed: int, step: int, batch_size: int) -> Int32[np.ndarray, " batch"]:
        """Returns which examples form the batch of one step; see `order.batch_indices`."""

    def gather(self, indices: Int32[np.ndarray, " batch"]) -> RawBatch:
        """Returns these examples as stored."""

    def prepare(self, raw: RawBatch) -> dict[str, Any]:
        """Returns {"sample": float32, "condition": labels or None}, as the networks take them.

        Pure, for NumPy and JAX arrays alike: it runs inside the compiled step.
        """

    # Data that are no images also have picture(samples) -> uint8 [height, width, channels], which
    # shows them all together; data that keep examples apart have held_out(), a data set or None.

    def read_files(self, paths: Sequence[Path]) -> Float32[np.ndarray, "files ..."]:
        """Returns files from outside, prepared as this data set's samples are."""
