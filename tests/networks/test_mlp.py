import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.networks import mlp


def test_shapes_and_number_of_parameters():
    generator, discriminator = mlp.Generator(width=5, depth=3), mlp.Discriminator(width=5, depth=1)
    latent = jnp.ones((4, 7))
    points, variables = generator.init_with_output(jax.random.key(0), latent, training=True)
    assert points.shape == (4, 2)
    sizes = [leaf.size for leaf in jax.tree.leaves(variables)]
    assert sum(sizes) == (7 * 5 + 5) + 2 * (5 * 5 + 5) + (5 * 2 + 2)
    logits, _ = discriminator.init_with_output(jax.random.key(0), points, training=False)
    assert logits.shape == (4,)


def test_without_hidden_layers_it_is_linear():
    discriminator = mlp.Discriminator(depth=0)
    variables = discriminator.init(jax.random.key(0), jnp.zeros((1, 2)), training=False)
    kernel = variables["params"]["Dense_0"]["kernel"]
    sample = jnp.array([[1.0, 2.0], [-3.0, 0.5]])
    logits = discriminator.apply(variables, sample, training=False)
    np.testing.assert_allclose(logits, (sample @ kernel)[:, 0], rtol=1e-6)


@pytest.mark.parametrize("network", [mlp.Generator(), mlp.Discriminator()])
def test_conditions_are_refused(network):
    with pytest.raises(RequestError, match="takes no condition"):
        network.init(jax.random.key(0), jnp.zeros((1, 2)), jnp.zeros(1, jnp.int32), training=False)


@pytest.mark.parametrize("field", ["width", "dimensions"])
def test_bounds(field):
    with pytest.raises(RequestError, match=f"{field} = 0: must be at least 1"):
        mlp.Generator(**{field: 0})
