"""Batches of a run's steps, gathered ahead of time by Grain's threads."""

from collections.abc import Iterator

from gan_jax.data.dataset import Dataset, RawBatch

EVERYTHING = slice(None)


def stream(
    dataset: Dataset, seed: int, start: int, stop: int, batch_size: int, part: slice = EVERYTHING
) -> Iterator[RawBatch]:
    """Yields the raw batches of steps `start` up to `stop`, read ahead by a few threads.

    Each batch equals `dataset.gather(dataset.indices(seed, step, batch_size)[part])`, so that a run
    resumes at any step without the state of an iterator. The threads end with the iterator.

    Raises:
        RequestError: What `dataset.indices` or `dataset.gather` raises, at the first batch.
    """
    import grain

    def read(step):
        return dataset.gather(dataset.indices(seed, int(step), batch_size)[part])

    batches = grain.MapDataset.range(start, stop).map(read)
    iterator = iter(
        batches.to_iter_dataset(grain.ReadOptions(num_threads=2, prefetch_buffer_size=8))
    )
    try:
        yield from iterator
    finally:
        iterator.close()
