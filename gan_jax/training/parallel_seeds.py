"""Many seeds in one program: how they share the devices, and how a user names them.

`gan.update` knows nothing of seeds: a program for one state becomes one for many, whose arrays have
a leading seed axis.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Float, PyTree

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import is_number
from gan_jax.experiment import Experiment
from gan_jax.runtime import devices
from gan_jax.training.strategy import Strategy

MOST = 2**32  # seeds are below this
MOST_TOGETHER = 4096  # seeds in one command; more are taken for a mistake


@dataclasses.dataclass(frozen=True)
class Plan:
    """How the seeds of one program share the devices; a static argument of the program.

    Attributes:
        mesh: with an axis `seed`, over which seeds are sharded, and an axis `data`, over which each
            batch is.
        count: how many seeds there are.
        batched: the seeds of one device run as one batch (`vmap`) rather than sequentially.
    """

    mesh: Mesh
    count: int = 1
    batched: bool = False

    @property
    def padded_count(self) -> int:
        """The number of seeds that are computed: `count`, rounded up to the same on each device."""
        return math.ceil(self.count / self.mesh.shape["seed"]) * self.mesh.shape["seed"]

    def __str__(self) -> str:
        how = "batched" if self.batched else "sequentially"
        return f"{self.count} runs in one program, {how}; devices: {self.mesh.size}"

    def split_batch(self, batch: PyTree) -> PyTree:
        """Shards a batch over the devices that compute the same seed."""
        return self._lay(batch, devices.split_batch(self.mesh))

    def everywhere(self, state: PyTree) -> PyTree:
        """Replicates a state on the devices that compute the same seed."""
        return self._lay(state, devices.replicated(self.mesh))

    def _lay(self, tree: PyTree, sharding: NamedSharding) -> PyTree:
        # Under `shard_map` over seeds each device works alone, and may not constrain the others.
        if self.mesh.shape["seed"] > 1:
            return tree
        return jax.lax.with_sharding_constraint(tree, sharding)

    def padded(self, items: Sequence[Any]) -> list[Any]:
        """Repeats the last item until there is one for each computed seed."""
        return [*items, *[items[-1]] * (self.padded_count - len(items))]

    def stack(self, states: Sequence[PyTree]) -> PyTree:
        """Puts the states of all seeds on the devices, along a leading seed axis."""
        sharding = devices.split_seeds(self.mesh)

        def stack_leaf(
            *leaves,
        ):  # one leaf at a time, as all of them on one device would take much memory
            return devices.put(jnp.stack(leaves), sharding)

        return jax.tree.map(stack_leaf, *self.padded(states))

    def hyperparameters(
        self, experiments: Sequence[Experiment]
    ) -> Float[np.ndarray, "seeds hyperparameters"]:
        """The traced hyper-parameters of each computed seed's experiment."""
        values = [each.traced_hyperparameters for each in experiments]
        return np.array(self.padded(values), np.float32)

    def run(
        self,
        program: Callable[..., tuple[PyTree, PyTree]],
        states: PyTree,
        own: PyTree,
        *shared: Any,
    ) -> tuple[PyTree, PyTree]:
        """Runs program(state, own, *shared) for each seed.

        Args:
            program: for one seed; returns its new state and another tree.
            states: of all seeds, with a leading seed axis.
            own: other arguments that differ between seeds, with a leading seed axis.
            shared: arguments that are the same for all seeds.

        Returns:
            The new states and the other trees, each with a leading seed axis.
        """

        def on_one_device(states, own, *shared):
            if len(jax.tree.leaves(own)[0]) == 1:
                alone = jax.tree.map(lambda leaf: leaf[0], (states, own))
                return jax.tree.map(lambda leaf: leaf[None], program(*alone, *shared))
            if self.batched:
                return jax.vmap(lambda one, mine: program(one, mine, *shared))(states, own)
            return _sequentially(lambda one, mine: program(one, mine, *shared), states, own)

        if self.mesh.shape["seed"] == 1:
            return on_one_device(states, own, *shared)
        split = PartitionSpec("seed")
        in_specs = (split, split, *[PartitionSpec()] * len(shared))
        # Devices exchange nothing, so there are no varying axes to check.
        return jax.shard_map(
            on_one_device, mesh=self.mesh, in_specs=in_specs, out_specs=split, check_vma=False
        )(states, own, *shared)


def _sequentially(
    program: Callable[[PyTree, PyTree], tuple[PyTree, PyTree]], states: PyTree, own: PyTree
) -> tuple[PyTree, PyTree]:
    """Like `jax.lax.map`, but updates the states in place."""
    of_first = jax.tree.map(lambda leaf: leaf[0], (states, own))
    _, other = jax.eval_shape(program, *of_first)
    count = len(jax.tree.leaves(own)[0])
    others = jax.tree.map(lambda leaf: jnp.zeros((count, *leaf.shape), leaf.dtype), other)

    def run_one(i, done):
        one, mine = jax.tree.map(lambda leaf: leaf[i], (done[0], own))
        return jax.tree.map(
            lambda leaf, new: jax.lax.dynamic_update_index_in_dim(leaf, new, i, 0),
            done,
            program(one, mine),
        )

    return jax.lax.fori_loop(0, count, run_one, (states, others))


def use_cores(strategy: Strategy, count: int) -> None:
    """Makes a CPU count as up to `count` devices, where the strategy would shard runs over them."""
    if strategy in ("auto", "shard", "shard-vmap"):
        devices.use_cores(count)


def resolve(strategy: Strategy, count: int) -> Strategy:
    """Returns the strategy that "auto" stands for with `count` runs; others are returned as given.

    "shard" if there are several devices and several runs; else "map" on a CPU, where convolutions
    with batched kernels are slow, and "vmap" on other devices, which small networks leave idle.
    """
    if strategy != "auto":
        return strategy
    if jax.device_count() > 1 and count > 1:
        return "shard"
    return "map" if jax.default_backend() == "cpu" else "vmap"


def make_plan(strategy: Strategy, count: int, batch_size: int) -> Plan:
    """Plans how runs share the available devices.

    "map" runs them sequentially and "vmap" runs them as one batch, both with each batch of examples
    sharded over all devices. "shard" shards the runs over the devices, each of which runs its part
    sequentially, and "shard-vmap" as one batch. With "map" on one device, and with "shard", every
    run gets the same bits as alone.

    Args:
        strategy: one of these; what "auto" stands for, `resolve` says.
        count: how many runs there are.
        batch_size: examples in a batch of one run.
    """
    spread = min(jax.device_count(), count) if strategy.startswith("shard") else None
    mesh = devices.make_mesh(batch_size, spread)
    return Plan(mesh, count, strategy.endswith("vmap"))


def parse(text: str) -> tuple[int, ...]:
    """Parses seeds: '0:8' means 0 to 7, and '0:4,7' means 0, 1, 2, 3 and 7.

    Raises:
        RequestError: the text has another form, names no seed, one twice, or one out of range.
    """
    seeds: list[int] = []
    for part in text.split(","):
        numbers = part.strip().split(":")
        if len(numbers) > 2 or not all(map(is_number, numbers)):
            raise RequestError(f"--seeds {text}: give 0:8 for the seeds 0 to 7, or 0,3,5")
        first, last = int(numbers[0]), int(numbers[-1]) + (len(numbers) == 1)
        if last > MOST:
            raise RequestError(f"--seeds {text}: the largest seed is {MOST - 1}")
        if first >= last:
            raise RequestError(
                f"--seeds {text}: {part} contains no seed; 0:8 means the seeds 0 to 7"
            )
        if last - first > MOST_TOGETHER:
            raise RequestError(f"--seeds {text}: {last - first} seeds, at most {MOST_TOGETHER}")
        seeds += range(first, last)
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        raise RequestError(f"--seeds {text}: {twice[0]} is given twice")
    return tuple(seeds)
