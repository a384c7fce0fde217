"""Devices: the mesh, how arrays lie on it, and JAX's settings."""

import contextlib
import math
import os
from pathlib import Path

import jax
import platformdirs
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec


def use_compilation_cache() -> None:
    """Keeps compiled programs in the user's cache folder, unless JAX was told of another."""
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


def memory_bytes() -> int:
    """Memory of one device, in bytes; for a CPU that of the machine."""
    statistics = jax.devices()[0].memory_stats() or {}
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return statistics.get("bytes_limit", machine)
