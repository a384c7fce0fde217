import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.networks import conditions, dcgan, mlp

KEY = jax.random.key(0)
LABELS = jnp.array([2, 0, 1])


def test_the_latent_gets_a_number_for_each_class():
    generator = conditions.Generator(mlp.Generator(depth=0, dimensions=4), classes=3)
    latent = jax.random.normal(KEY, (3, 5))
    variables = generator.init(KEY, latent, LABELS, training=True)
    kernel = variables["params"]["inner"]["Dense_0"]["kernel"]
    assert kernel.shape == (8, 4)
    expected = latent @ kernel[:5] + kernel[5:][LABELS]
    found = generator.apply(variables, latent, LABELS, training=True)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_images_get_a_channel_for_each_class():
    discriminator = conditions.Discriminator(dcgan.Discriminator(width=2, dropout=0.0), classes=3)
    images = jax.random.normal(KEY, (3, 8, 8, 1))
    variables = discriminator.init(KEY, images, LABELS, training=True)
    assert variables["params"]["inner"]["Conv_0"]["kernel"].shape == (5, 5, 4, 2)
    appended = jnp.zeros((3, 8, 8, 4)).at[..., :1].set(images)
    appended = appended.at[jnp.arange(3), :, :, 1 + LABELS].set(1.0)
    expected = discriminator.inner.apply(
        {"params": variables["params"]["inner"]}, appended, None, training=True
    )
    found = discriminator.apply(variables, images, LABELS, training=True)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_points_get_a_coordinate_for_each_class():
    discriminator = conditions.Discriminator(mlp.Discriminator(depth=0), classes=3)
    points = jax.random.normal(KEY, (3, 2))
    variables = discriminator.init(KEY, points, LABELS, training=True)
    kernel = variables["params"]["inner"]["Dense_0"]["kernel"][:, 0]
    expected = points @ kernel[:2] + kernel[2:][LABELS]
    found = discriminator.apply(variables, points, LABELS, training=True)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_label_losses_are_cross_entropies():
    class_logits = jax.random.normal(KEY, (3, 4))
    probabilities = np.asarray(jax.nn.softmax(class_logits))
    found = conditions.label_losses(class_logits, LABELS)
    np.testing.assert_allclose(found, -np.log(probabilities[range(3), LABELS]), rtol=1e-5)


def test_missing_labels_and_wrong_fields_are_refused():
    generator = conditions.Generator(mlp.Generator(), classes=3)
    with pytest.raises(RequestError, match="take 3 classes: give the data labels=True"):
        generator.init(KEY, jnp.zeros((1, 2)), None, training=False)
    with pytest.raises(RequestError, match=r"Generator\.classes = 1: must be at least 2"):
        conditions.Generator(mlp.Generator(), classes=1)
    with pytest.raises(RequestError, match=r"Discriminator\.inner"):
        conditions.Discriminator("mlp", classes=3)
    with pytest.raises(
        RequestError, match=r"Generator\.inner\.classes = 3: the wrapped network takes"
    ):
        conditions.Generator(conditions.Generator(mlp.Generator(), classes=3), classes=3)
