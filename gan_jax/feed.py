"""Batches on their way to the device: all the data at once where they fit, else a stream."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Int32, PyTree

from gan_jax import devices
from gan_jax.data.stream import stream
from gan_jax.experiment import Experiment

MOST_STEPS_TOGETHER = 64  # in one compiled call
STEPS_STREAMED_TOGETHER = 8

# What the compiled step gathers a batch from, and the positions of the examples of each
# seed and step.
Feed = tuple[PyTree, Int32[np.ndarray, "seeds steps batch"]]


class Resident:
    """The whole data set lies on the device; only positions travel."""

    def __init__(self, experiment: Experiment, seeds: Sequence[int], mesh: Mesh):
        """Puts the data on the device."""
        self._experiment, self._seeds = experiment, seeds
        self.limit = min(experiment.log_every, MOST_STEPS_TOGETHER)
        self._pool = jax.device_put(_raw(experiment), devices.replicated(mesh))

    def next(self, step: int, count: int) -> Feed:
        """Returns what `count` steps from `step` on take; positions padded to `limit` steps."""
        size = self._experiment.examples_per_step
        positions = np.zeros((len(self._seeds), self.limit, size), np.int32)
        for of_seed, seed in zip(positions, self._seeds, strict=True):
            for i in range(count):
                of_seed[i] = self._experiment.data.indices(seed, step + i, size)
        return self._pool, positions


class Streamed:
    """Batches are read ahead on the host, and a few at a time are put on the device."""

    def __init__(
        self,
        experiment: Experiment,
        seeds: Sequence[int],
        mesh: Mesh,
        first_step: int,
        last_step: int,
    ):
        """Starts to read ahead."""
        size = experiment.examples_per_step
        self.limit = min(experiment.log_every, STEPS_STREAMED_TOGETHER)
        self._sharding = devices.replicated(mesh)
        self._streams: list[Iterator[dict[str, Any]]] = [
            stream(experiment.data, seed, first_step, last_step, size) for seed in seeds
        ]
        shape = (len(seeds), self.limit, size)
        self._positions = np.arange(math.prod(shape), dtype=np.int32).reshape(shape)

    def next(self, step: int, count: int) -> Feed:
        """Returns what the next `count` steps take; padded to `limit` steps."""
        padded = []
        for batches in self._streams:
            read = [next(batches) for _ in range(count)]
            padded += read + read[-1:] * (self.limit - count)
        pool = jax.tree.map(lambda *parts: np.concatenate(parts), *padded)
        return jax.device_put(pool, self._sharding), self._positions


def make_feed(
    experiment: Experiment, seeds: Sequence[int], mesh: Mesh, first_step: int, last_step: int
) -> Resident | Streamed:
    """Chooses by the share of device memory that the data would take; both give equal batches."""
    size = sum(array.nbytes for array in jax.tree.leaves(_raw(experiment)))
    if size <= experiment.device_memory_share * devices.memory_bytes():
        return Resident(experiment, seeds, mesh)
    return Streamed(experiment, seeds, mesh, first_step, last_step)


def _raw(experiment: Experiment) -> PyTree:
    examples = experiment.data.load()
    return {"sample": examples.sample, "label": examples.label}
