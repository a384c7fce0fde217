import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.networks import dcgan

KEY = jax.random.key(0)


def parameters(variables):
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


def test_the_reference_has_the_published_sizes():
    generator = dcgan.Generator().init(KEY, jnp.zeros((1, 100)), training=False)
    by_hand = 100 * 12544 + 25 * (256 * 128 + 128 * 64 + 64 * 1) + 2 * (12544 + 128 + 64)
    assert parameters(generator) == by_hand
    image = jnp.zeros((1, 28, 28, 1))
    discriminator = dcgan.Discriminator().init(KEY, image, training=False)
    by_hand = 25 * 64 + 64 + 25 * 64 * 128 + 128 + 7 * 7 * 128 + 1
    assert parameters(discriminator) == by_hand


@pytest.mark.parametrize(("size", "channels"), [(28, 1), (28, 3), (32, 3), (8, 1)])
def test_images_of_every_size_within_the_range(size, channels):
    generator = dcgan.Generator(width=2, image_size=size, image_channels=channels)
    latent = 10 * jax.random.normal(KEY, (3, 5))
    images, _ = generator.init_with_output(KEY, latent, training=False)
    assert images.shape == (3, size, size, channels)
    assert jnp.abs(images).max() <= 1
    logits, _ = dcgan.Discriminator(width=2).init_with_output(KEY, images, training=False)
    assert logits.shape == (3,)


def test_dropout_only_in_training():
    image = jax.random.normal(KEY, (2, 8, 8, 1))
    discriminator = dcgan.Discriminator(width=4)
    variables = discriminator.init(KEY, image, training=False)

    def logits(training, key):
        return discriminator.apply(variables, image, training=training, rngs={"dropout": key})

    assert np.array_equal(logits(False, KEY), logits(False, jax.random.key(1)))
    assert not np.array_equal(logits(True, KEY), logits(True, jax.random.key(1)))


def test_batch_norm_centres_all_hidden_layers_but_the_first():
    """Behind BatchNorm, adding a constant to what a layer gives changes nothing."""
    images = jax.random.normal(KEY, (16, 8, 8, 1))
    discriminator = dcgan.Discriminator(width=2, dropout=0.0, hidden=5, batch_norm=True)
    variables = discriminator.init(KEY, images, training=False)

    def logits(layer):
        shifted = jax.tree.map(jnp.copy, variables)
        shifted["params"][layer]["bias"] += 3.0
        return discriminator.apply(shifted, images, training=True, mutable=["batch_stats"])[0]

    with_first, with_second, with_hidden = map(logits, ("Conv_0", "Conv_1", "Dense_0"))
    np.testing.assert_allclose(with_second, with_hidden, atol=1e-4)
    assert jnp.abs(with_first - with_second).max() > 0.1
    assert variables["params"]["Dense_0"]["kernel"].shape == (2 * 2 * 4, 5)


@pytest.mark.parametrize(
    ("network", "arguments"),
    [
        (dcgan.Generator, {"width": 0}),
        (dcgan.Generator, {"image_size": 30}),
        (dcgan.Generator, {"image_channels": 2}),
        (dcgan.Discriminator, {"width": -1}),
        (dcgan.Discriminator, {"dropout": 1.0}),
        (dcgan.Discriminator, {"hidden": -1}),
    ],
)
def test_wrong_sizes_are_named(network, arguments):
    (field,) = arguments
    with pytest.raises(RequestError, match=rf"{network.__name__}\.{field} = "):
        network(**arguments)
