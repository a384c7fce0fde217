"""Batches of a run's steps, gathered ahead of time by Grain's threads."""

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int32


@runtime_checkable
class Dataset(Protocol):
    """What a data set must offer to be streamed; every description in this package does."""

    def indices(self, seed: int, step: int, batch_size: int) -> Int32[np.ndarray, " batch"]:
        """Return which examples form the batch of one step."""

    def gather(self, indices: Int32[np.ndarray, " batch"]) -> dict[str, Any]:
        """Return these examples as stored."""


def stream(
    dataset: Dataset, seed: int, start: int, stop: int, batch_size: int
) -> Iterator[dict[str, Any]]:
    """Yield the raw batches of steps `start` up to `stop`, read ahead by a few threads.

    Each batch equals `dataset.gather(dataset.indices(seed, step, batch_size))`, so that a run goes
    on from any step without state of an iterator. The threads end with the iterator.

    Raises:
        RequestError: What `dataset.indices` or `dataset.gather` raises, at the first batch.
    """
    import grain

    steps = grain.MapDataset.range(start, stop)
    batches = steps.map(lambda step: dataset.gather(dataset.indices(seed, int(step), batch_size)))
    iterator = iter(
        batches.to_iter_dataset(grain.ReadOptions(num_threads=2, prefetch_buffer_size=8))
    )
    try:
        yield from iterator
    finally:
        iterator.close()
