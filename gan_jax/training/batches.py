"""Batches for the compiled steps: from a data set that is on the device, or streamed to it."""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import PyTree

from gan_jax.data.stream import stream
from gan_jax.experiment import Experiment
from gan_jax.runtime import devices, hosts

MOST_STEPS_TOGETHER = 64  # in one compiled call
STEPS_STREAMED_TOGETHER = 8

# Stored examples, which all seeds share, and the positions in them [seeds, steps, batch] of the
# batch of each seed and step; or None, and the examples themselves [seeds, steps, batch, ...].
Batches = tuple[PyTree, PyTree]


class Resident:
    """Keeps the whole data set on the device, so that only positions are sent there."""

    def __init__(self, experiment: Experiment, seeds: Sequence[int], mesh: Mesh):
        """Puts the data on the device."""
        self._experiment, self._seeds = experiment, seeds
        self.limit = min(experiment.log_every, MOST_STEPS_TOGETHER)
        self._pool = devices.put(_raw(experiment), devices.replicated(mesh))

    def next(self, step: int, count: int) -> Batches:
        """Returns the batches of `count` steps from `step` on, padded to `limit` steps."""
        size = self._experiment.examples_per_step
        positions = np.zeros((len(self._seeds), self.limit, size), np.int32)
        for of_seed, seed in zip(positions, self._seeds, strict=True):
            for i in range(count):
                of_seed[i] = self._experiment.data.indices(seed, step + i, size)
        return self._pool, positions


class Streamed:
    """Reads batches ahead on the host, and puts a few at a time on the devices.

    Of several processes each reads only its devices' part of each batch.
    """

    def __init__(
        self,
        experiment: Experiment,
        seeds: Sequence[int],
        mesh: Mesh,
        first_step: int,
        last_step: int,
    ):
        """Starts to read ahead."""
        self._size = experiment.examples_per_step
        self._sharding = devices.split_examples(mesh)
        self._part = devices.own_part(mesh, self._size)
        self.limit = min(experiment.log_every, STEPS_STREAMED_TOGETHER)
        self._streams: list[Iterator[dict[str, Any]]] = [
            stream(experiment.data, seed, first_step, last_step, self._size, self._part)
            for seed in seeds
        ]

    def next(self, step: int, count: int) -> Batches:
        """Returns the batches of the next `count` steps, padded to `limit` steps."""
        of_seeds = []
        for batches in self._streams:
            read = [next(batches) for _ in range(count)]
            read += read[-1:] * (self.limit - count)
            of_seeds.append(jax.tree.map(lambda *steps: np.stack(steps), *read))

        def put(*arrays):
            own = np.stack(arrays)  # [seeds, steps, own part of the batch, ...]
            shape = (*own.shape[:2], self._size, *own.shape[3:])
            return jax.make_array_from_process_local_data(self._sharding, own, shape)

        return None, jax.tree.map(put, *of_seeds)


def make_batches(
    experiment: Experiment, seeds: Sequence[int], mesh: Mesh, first_step: int, last_step: int
) -> Resident | Streamed:
    """Streams data that would take too much of the devices' memory; the batches are the same."""
    size = sum(array.nbytes for array in jax.tree.leaves(_raw(experiment)))
    is_large = size > experiment.device_memory_fraction * devices.memory_bytes()
    if hosts.any_of(is_large):
        return Streamed(experiment, seeds, mesh, first_step, last_step)
    return Resident(experiment, seeds, mesh)


def _raw(experiment: Experiment) -> PyTree:
    examples = experiment.data.load()
    return {"sample": examples.sample, "label": examples.label}
