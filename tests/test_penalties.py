import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import penalties
from gan_jax.errors import RequestError

KEY = jax.random.key(0)


@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 2)])
def test_r1_of_a_linear_discriminator_is_the_squared_norm_of_its_weights(shape):
    weights = jax.random.normal(KEY, shape)
    real = jax.random.normal(jax.random.key(1), (6, *shape))
    axes = tuple(range(1, real.ndim))
    value = penalties.R1(gamma=3.0)(lambda x: (x * weights).sum(axes), real, real, KEY)
    np.testing.assert_allclose(value, np.full(6, 1.5 * np.sum(np.square(weights))), rtol=1e-5)


def test_r1_of_a_quadratic_discriminator_depends_on_each_real_example():
    real = jnp.array([[1.0, 2.0], [0.0, -3.0]])
    value = penalties.R1(gamma=2.0)(lambda x: 0.5 * (x**2).sum(1), real, real + 1, KEY)
    np.testing.assert_allclose(value, [5.0, 9.0], rtol=1e-6)


def test_r1_differentiates_with_respect_to_the_discriminator():
    real = jnp.ones((1, 3))

    def penalty(weights):
        return penalties.R1(gamma=1.0)(lambda x: x @ weights, real, real, KEY).sum()

    weights = jnp.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(jax.grad(penalty)(weights), weights, rtol=1e-6)


def test_negative_weight_is_refused():
    with pytest.raises(RequestError, match=r"R1\.gamma = -1"):
        penalties.R1(gamma=-1)
