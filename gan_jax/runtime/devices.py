"""JAX's settings, the device mesh, and moving arrays between devices and the host."""

import contextlib
import ctypes
import functools
import math
import os
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import jaxlib
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

from gan_jax.common.memory import machine_bytes
from gan_jax.runtime import jax_settings

# Summing in a fixed order makes a step slower; resuming to the same bits is worth it.
XLA_FLAGS = ("--xla_gpu_deterministic_ops=true",)
# Tensor cores multiply float32 with 10 or more bits of fraction; a CPU uses all of them.
MATMUL_PRECISION = "tensorfloat32"
M_ARENA_MAX = -8  # of malloc.h
MISCOMPILING = ("0.10.2",)  # jaxlib on CPU: jax issue 39103, tests/test_dependencies.py


def configure() -> None:
    """Sets JAX's flags, matmul precision and compilation cache for the whole process.

    This is the one place that does. Flags take effect only if no JAX backend has started yet.
    Environment variables that the user has set (`XLA_FLAGS`, `JAX_DEFAULT_MATMUL_PRECISION`,
    `JAX_COMPILATION_CACHE_DIR`) take precedence; without the last one, compiled programs are cached
    in the user's cache folder. Warns, once, if the installed jaxlib is known to compute wrongly.

    Raises:
        RequestError: JAX is set to forbid what this package does.
    """
    jax_settings.check()
    _warn_if_miscompiling(jaxlib.__version__)
    given = os.environ.get("XLA_FLAGS", "")
    missing = [flag for flag in XLA_FLAGS if flag.split("=")[0] not in given]
    os.environ["XLA_FLAGS"] = " ".join([*given.split(), *missing])
    if "JAX_DEFAULT_MATMUL_PRECISION" not in os.environ:
        jax.config.update("jax_default_matmul_precision", MATMUL_PRECISION)
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = Path(platformdirs.user_cache_dir("gan_jax")) / "compiled"
        jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


@functools.cache  # so that it is said once
def _warn_if_miscompiling(version: str) -> None:
    if version in MISCOMPILING:
        print(
            f"warning: jaxlib {version} silently computes wrong sums on CPU (github.com/jax-ml/jax/"
            "issues/39103); install another version: pip install 'jax!=0.10.2'",
            file=sys.stderr,
        )


def use_cores(count: int) -> None:
    """Splits the CPU into `count` devices, at most one per core, so that seeds run in parallel.

    Does nothing if a JAX backend has already started or `XLA_FLAGS` sets the number of devices.
    """
    if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", min(count, cores()))


def use_one_heap() -> None:
    """Makes all threads of this process allocate from one heap, where the C library is glibc.

    By default glibc gives each thread a heap of its own, and memory freed in one is not reused by
    the others. `MALLOC_ARENA_MAX` and `GLIBC_TUNABLES` take precedence if the user has set them.
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if "MALLOC_ARENA_MAX" not in os.environ and "arena_max" not in tunables:
        with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def cores() -> int:
    """Number of cores this process may use; all of the machine's where that cannot be queried."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def make_mesh(batch_size: int, spread: int | None = None) -> Mesh:
    """Returns a mesh with axes `seed` and `data`.

    Args:
        batch_size: examples per batch. Without `spread`, a batch is split over `data`, whose size
            is the largest number of devices that divides `batch_size`.
        spread: number of devices that runs are spread over, along `seed`; None for one run.
    """
    devices = jax.devices()
    possible = [n for n in range(1, len(devices) + 1) if batch_size % n == 0]
    shape = (1, max(possible)) if spread is None else (spread, 1)
    axes = (AxisType.Auto, AxisType.Auto)
    chosen = devices[: math.prod(shape)]
    if jax.process_count() > 1:  # a process's devices side by side: its part is one slice
        ordered = sorted(chosen, key=lambda device: (device.process_index, device.id))
        return Mesh(np.array(ordered).reshape(shape), ("seed", "data"), axis_types=axes)
    return jax.make_mesh(shape, ("seed", "data"), axis_types=axes, devices=chosen)


def replicated(mesh: Mesh) -> NamedSharding:
    """Sharding of arrays that every device holds whole: parameters, a resident data set."""
    return NamedSharding(mesh, PartitionSpec())


def split_seeds(mesh: Mesh) -> NamedSharding:
    """Sharding that splits axis 0, the seeds, over the mesh axis `seed`."""
    return NamedSharding(mesh, PartitionSpec("seed"))


def split_batch(mesh: Mesh) -> NamedSharding:
    """Sharding that splits axis 0, the examples, over the mesh axis `data`."""
    return NamedSharding(mesh, PartitionSpec("data"))


def split_examples(mesh: Mesh) -> NamedSharding:
    """Sharding of batches [seeds, steps, batch, ...]: seeds over `seed`, examples over `data`."""
    return NamedSharding(mesh, PartitionSpec("seed", None, "data"))


def own_part(mesh: Mesh, batch_size: int) -> slice:
    """The slice of each batch that goes to this process's devices."""
    each, here = batch_size // mesh.shape["data"], jax.process_index()
    own = [i for i, device in enumerate(mesh.devices[0]) if device.process_index == here]
    return slice(each * min(own), each * (max(own) + 1))


def put(tree: PyTree, sharding: NamedSharding) -> PyTree:
    """Places arrays that every process holds, equal in all, on devices with the given sharding."""
    if jax.process_count() == 1:
        return jax.device_put(tree, sharding)

    def put_leaf(leaf):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(put_leaf(jax.random.key_data(leaf)))
        host = np.asarray(leaf)
        return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])

    return jax.tree.map(put_leaf, tree)


def to_host(tree: PyTree) -> PyTree:
    """Copies arrays to NumPy arrays on the host; PRNG keys stay JAX arrays, on one device.

    This process must be able to address every shard. NumPy arrays are returned as they are.
    """

    def copy_leaf(leaf):
        if not isinstance(leaf, jax.Array):
            return np.asarray(leaf)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(copy_leaf(jax.random.key_data(leaf)))
        if leaf.is_fully_replicated:
            return np.array(leaf.addressable_data(0))
        # Shard by shard: `np.array` would leave a copy that JAX caches as long as the array lives.
        host = np.empty(leaf.shape, leaf.dtype)
        for shard in leaf.global_shards:  # raises for a shard of another process, which has no data
            host[shard.index] = np.asarray(shard.data)
        return host

    return jax.tree.map(copy_leaf, tree)


def own_copy(tree: PyTree) -> PyTree:
    """Copies replicated arrays to this process's first device."""
    return jax.device_put(to_host(tree), jax.local_devices()[0])


def for_checkpoints() -> Sharding:
    """Sharding with which JAX arrays are saved and loaded: one device, or all of all processes.

    `own_copy` moves loaded arrays on to the device of this process.
    """
    if jax.process_count() == 1:
        return SingleDeviceSharding(jax.devices()[0])
    return replicated(make_mesh(jax.device_count()))


def memory_bytes() -> int:
    """Memory of one device in bytes; on CPU, that of the machine."""
    statistics = jax.local_devices()[0].memory_stats() or {}
    return statistics.get("bytes_limit", machine_bytes())
