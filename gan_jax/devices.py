"""Devices: the mesh, how arrays lie on it, and JAX's settings."""

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


def make_mesh(batch_size: int) -> Mesh:
    """Returns a mesh with axes `seed` (1) and `data`: as many devices as divide the batch."""
    devices = jax.devices()
    count = max(n for n in range(1, len(devices) + 1) if batch_size % n == 0)
    axes = (AxisType.Auto, AxisType.Auto)
    return jax.make_mesh((1, count), ("seed", "data"), axis_types=axes, devices=devices[:count])


def replicated(mesh: Mesh) -> NamedSharding:
    """The same on every device: parameters, and a data set that is resident."""
    return NamedSharding(mesh, PartitionSpec())


def split_batch(mesh: Mesh) -> NamedSharding:
    """Examples, axis 0, spread over the `data` axis."""
    return NamedSharding(mesh, PartitionSpec("data"))


def memory_bytes() -> int:
    """Memory of one device, in bytes; for a CPU that of the machine."""
    statistics = jax.devices()[0].memory_stats() or {}
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return statistics.get("bytes_limit", machine)
