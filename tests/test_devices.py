"""How states are copied between devices and the host."""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import devices


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
