"""Comparison of train states, bit for bit."""

import jax
import numpy as np


def raw(leaf):
    """The bits of an array; a random key is the integers that it holds."""
    if jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)


def assert_same_bits(first, second):
    """Checks that two trees hold the same arrays, bit for bit."""
    assert jax.tree.structure(first) == jax.tree.structure(second)
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path(first), jax.tree.leaves(second), strict=True
    ):
        assert raw(a).tobytes() == raw(b).tobytes(), jax.tree_util.keystr(path)
