"""Devices: the mesh, how arrays lie on it, and JAX's settings."""

import contextlib
import ctypes
import math
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import platformdirs
from jax.sharding import (
    AxisType,
    Mesh,
    NamedSharding,
    PartitionSpec,
    Sharding,
    SingleDeviceSharding,
)
from jaxtyping import PyTree

# Resuming to the same bits is worth more than the share of a step that sums in a fixed order cost.
XLA_FLAGS = ("--xla_gpu_deterministic_ops=true",)
# Products of float32 on tensor cores with 10 or more bits of fraction; on a CPU all of them.
MATMUL_PRECISION = "tensorfloat32"
M_ARENA_MAX = -8  # of malloc.h


def configure() -> None:
    """Sets how JAX works everywhere; what the user has told JAX by its own variables stays.

    The one place for compiler flags and precision. Flags take effect if JAX has not started yet.
    Compiled programs are kept in the user's cache folder.
    """
    given = os.environ.get("XLA_FLAGS", "")
    missing = [flag for flag in XLA_FLAGS if flag.split("=")[0] not in given]
    os.environ["XLA_FLAGS"] = " ".join([*given.split(), *missing])
    if "JAX_DEFAULT_MATMUL_PRECISION" not in os.environ:
        jax.config.update("jax_default_matmul_precision", MATMUL_PRECISION)
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = Path(platformdirs.user_cache_dir("gan_jax")) / "compiled"
        jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def use_cores(count: int) -> None:
    """Makes a CPU count as several devices, at most one for each core, so that seeds run at once.

    Where JAX has already started, or was told of another number, nothing changes.
    """
    if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", min(count, cores()))


def use_one_heap() -> None:
    """Lets all threads of this process allocate from one heap, where its C library is glibc.

    It gives each thread a heap of its own, and what is freed in one does not serve the others. What
    the user has told it by its own variables stays.
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if "MALLOC_ARENA_MAX" not in os.environ and "arena_max" not in tunables:
        with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def cores() -> int:
    """The cores that this process may use; all of the machine where that cannot be asked."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def make_mesh(batch_size: int, spread: int | None = None) -> Mesh:
    """Returns a mesh with axes `seed` and `data`.

    Args:
        batch_size: examples in a batch, which is split over `data`: as many devices as divide it,
            or one where runs are spread.
        spread: devices over which runs are spread, if they are.
    """
    devices = jax.devices()
    possible = [n for n in range(1, len(devices) + 1) if batch_size % n == 0]
    shape = (1, max(possible)) if spread is None else (spread, 1)
    axes = (AxisType.Auto, AxisType.Auto)
    chosen = devices[: math.prod(shape)]
    if jax.process_count() > 1:  # those of a process side by side, so that its part is one slice
        ordered = sorted(chosen, key=lambda device: (device.process_index, device.id))
        return Mesh(np.array(ordered).reshape(shape), ("seed", "data"), axis_types=axes)
    return jax.make_mesh(shape, ("seed", "data"), axis_types=axes, devices=chosen)


def replicated(mesh: Mesh) -> NamedSharding:
    """The same on every device: parameters, and a data set that is resident."""
    return NamedSharding(mesh, PartitionSpec())


def split_seeds(mesh: Mesh) -> NamedSharding:
    """Seeds, axis 0, spread over the `seed` axis."""
    return NamedSharding(mesh, PartitionSpec("seed"))


def split_batch(mesh: Mesh) -> NamedSharding:
    """Examples, axis 0, spread over the `data` axis."""
    return NamedSharding(mesh, PartitionSpec("data"))


def split_examples(mesh: Mesh) -> NamedSharding:
    """Batches [seeds, steps, batch, ...]: seeds and examples spread over their axes."""
    return NamedSharding(mesh, PartitionSpec("seed", None, "data"))


def own_part(mesh: Mesh, batch_size: int) -> slice:
    """Which part of each batch the devices of this process take."""
    each, here = batch_size // mesh.shape["data"], jax.process_index()
    own = [i for i, device in enumerate(mesh.devices[0]) if device.process_index == here]
    return slice(each * min(own), each * (max(own) + 1))


def put(tree: PyTree, sharding: NamedSharding) -> PyTree:
    """Puts what every process has on the devices of all of them."""
    if jax.process_count() == 1:
        return jax.device_put(tree, sharding)

    def put_leaf(leaf):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(put_leaf(jax.random.key_data(leaf)))
        host = np.asarray(leaf)
        return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])

    return jax.tree.map(put_leaf, tree)


def to_host(tree: PyTree) -> PyTree:
    """Copies to NumPy's arrays what this process has all of; keys stay JAX's, on one device.

    Arrays that are NumPy's already are not copied.
    """

    def copy_leaf(leaf):
        if not isinstance(leaf, jax.Array):
            return np.asarray(leaf)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(copy_leaf(jax.random.key_data(leaf)))
        if leaf.is_fully_replicated:
            return np.array(leaf.addressable_data(0))
        # Shard by shard, as JAX keeps what `np.array` puts together as long as its own array.
        host = np.empty(leaf.shape, leaf.dtype)
        for shard in leaf.global_shards:  # those of other processes have no data, which raises
            host[shard.index] = np.asarray(shard.data)
        return host

    return jax.tree.map(copy_leaf, tree)


def own_copy(tree: PyTree) -> PyTree:
    """Copies what is the same everywhere to one device of this process."""
    return jax.device_put(to_host(tree), jax.local_devices()[0])


def for_checkpoints() -> Sharding:
    """Where JAX's arrays lie to be saved, and are loaded to: one device, or those of all processes.

    `own_copy` takes it from there.
    """
    if jax.process_count() == 1:
        return SingleDeviceSharding(jax.devices()[0])
    return replicated(make_mesh(jax.device_count()))


def memory_bytes() -> int:
    """Memory of one device, in bytes; for a CPU that of the machine."""
    statistics = jax.local_devices()[0].memory_stats() or {}
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return statistics.get("bytes_limit", machine)
