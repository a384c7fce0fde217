"""Faults of dependencies that versions excluded in pyproject.toml have."""

import jax
import jax.numpy as jnp


def test_compiled_reductions_on_cpu_are_right():
    """Jaxlib 0.10.2 gives 1065369600 for the last row (jax issue 39103)."""
    column = jnp.arange(32769, dtype=jnp.float32)
    x = jnp.stack([column, jnp.zeros_like(column), jnp.zeros_like(column)], axis=1)

    def squared_length(row):
        return jnp.sum((jnp.eye(3) @ row) ** 2)

    each = jax.vmap(squared_length)
    with jax.default_device(jax.devices("cpu")[0]):
        assert each(x)[-1] == 2**30
        assert jax.jit(each)(x)[-1] == 2**30
