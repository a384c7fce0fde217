"""How states are copied between devices and the host, and where memory comes from."""

import platform
import subprocess
import sys

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np
import pytest

from gan_jax.runtime import devices


def test_a_copy_on_the_host_outlives_its_array():
    tree = {
        "matrix": jnp.arange(6.0).reshape(2, 3),
        "scalar": jnp.asarray(1.5, jnp.bfloat16),
        "key": jax.random.key(3),
    }
    copy = devices.to_host(tree)
    for leaf in jax.tree.leaves(tree):
        leaf.delete()
    np.testing.assert_array_equal(copy["matrix"], [[0, 1, 2], [3, 4, 5]])
    assert copy["scalar"].shape == () and copy["scalar"] == 1.5
    assert copy["scalar"].dtype == jnp.bfloat16
    assert jax.random.key_data(copy["key"]).tolist() == [0, 3]
    assert devices.to_host(copy)["matrix"] is copy["matrix"]


@pytest.mark.parametrize(("version", "warnings"), [("0.10.1", 0), ("0.10.2", 1), ("0.12.0", 0)])
def test_a_jaxlib_that_computes_wrongly_is_named_once(monkeypatch, capsys, version, warnings):
    for name in ("XLA_FLAGS", "JAX_DEFAULT_MATMUL_PRECISION", "JAX_COMPILATION_CACHE_DIR"):
        monkeypatch.setenv(name, "")  # so that nothing else changes
    monkeypatch.setattr(jaxlib, "__version__", version)
    devices._warn_if_miscompiling.cache_clear()
    devices.configure()
    devices.configure()
    said = capsys.readouterr().err
    assert said.count("warning: jaxlib 0.10.2 ") == warnings
    assert len(said.splitlines()) == warnings
    assert said.count("pip install 'jax!=0.10.2'") == warnings


HEAPS = """
import ctypes, threading
from gan_jax.runtime import devices
devices.use_one_heap()
libc = ctypes.CDLL(None)
all_have_some = threading.Barrier(5)
def allocate():
    libc.malloc(1000)
    all_have_some.wait()  # since a thread that ends leaves its heap to the next one
for _ in range(4): threading.Thread(target=allocate).start()
all_have_some.wait()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no arenas")
@pytest.mark.parametrize(
    ("given", "heaps"),
    [
        (("A", "1"), 1),
        (("MALLOC_ARENA_MAX", "3"), 3),
        (("GLIBC_TUNABLES", "glibc.malloc.arena_max=2"), 2),
    ],
)
def test_all_threads_share_one_heap_unless_the_user_says_otherwise(monkeypatch, given, heaps):
    for name in ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(*given)
    printed = subprocess.run(
        [sys.executable, "-c", HEAPS], capture_output=True, text=True, check=True
    ).stdout
    assert printed.count("<heap nr=") == heaps
