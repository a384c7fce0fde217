import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.networks.classifier import Classifier

KEY = jax.random.key(0)


@pytest.mark.parametrize("shape", [(28, 28, 1), (8, 8, 3), (9, 31, 1), (64, 64, 3)])
def test_images_of_every_size(shape):
    network = Classifier(width=2, feature_size=7, classes=3)
    images = jax.random.normal(KEY, (4, *shape))
    (features, logits), _ = network.init_with_output(KEY, images, training=False)
    assert features.shape == (4, 7)
    assert logits.shape == (4, 3)
    assert features.min() >= 0


def test_it_has_the_size_that_its_layers_add_up_to():
    image = jnp.zeros((1, 28, 28, 1))
    variables = Classifier(width=32, feature_size=128).init(KEY, image, training=False)
    kernels = 25 * 32 + 9 * 32 * 64 + 9 * 64 * 64 + 9 * 64 * 128 + 128 * 10 + 10
    norms = 2 * (32 + 64 + 64 + 128)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables)) == kernels + 2 * norms
    larger = jnp.zeros((1, 64, 64, 1))
    layers = Classifier().init(KEY, larger, training=False)["params"]
    assert len(layers) == len(variables["params"]) + 4  # one more halving: two layers, two norms


def test_logits_are_a_dense_layer_of_the_features():
    network = Classifier(width=2, feature_size=5, classes=3)
    images = jax.random.normal(KEY, (6, 12, 12, 1))
    variables = network.init(KEY, images, training=False)
    features, logits = network.apply(variables, images, training=False)
    dense = variables["params"]["Dense_0"]
    np.testing.assert_allclose(logits, features @ dense["kernel"] + dense["bias"], atol=1e-5)


def test_features_are_means_over_the_last_map():
    network = Classifier(width=2, feature_size=5)
    images = jax.random.normal(KEY, (3, 20, 28, 1))
    variables = network.init(KEY, images, training=False)
    (features, _), seen = network.apply(
        variables, images, training=False, capture_intermediates=True
    )
    (last,) = seen["intermediates"]["BatchNorm_3"]["__call__"]
    assert last.shape == (3, 5, 7, 5)
    np.testing.assert_allclose(features, np.maximum(last, 0).mean((1, 2)), rtol=1e-5)


def test_dropout_and_batch_statistics_in_training_only():
    network = Classifier(width=2, feature_size=50, dropout=0.5)
    images = jax.random.normal(KEY, (4, 8, 8, 1))
    variables = network.init(KEY, images, training=False)

    def logits(key, training, images=images):
        return network.apply(
            variables, images, training=training, rngs={"dropout": key}, mutable=["batch_stats"]
        )[0][1]

    other = jax.random.key(1)
    assert np.array_equal(logits(KEY, False), logits(other, False))
    assert not np.array_equal(logits(KEY, True), logits(other, True))
    first, alone = logits(KEY, False)[:1], logits(KEY, False, images[:1])
    np.testing.assert_allclose(first, alone, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, r"Classifier\.width = 0"),
        ({"feature_size": -1}, r"Classifier\.feature_size = -1"),
        ({"classes": 1}, r"Classifier\.classes = 1: must be at least 2"),
        ({"dropout": 1.0}, r"Classifier\.dropout = 1\.0"),
    ],
)
def test_wrong_sizes_are_named(arguments, message):
    with pytest.raises(RequestError, match=message):
        Classifier(**arguments)


def test_images_too_small_are_refused():
    with pytest.raises(RequestError, match="7 x 28 pixels: must be at least 8 x 8"):
        Classifier().init(KEY, jnp.zeros((1, 7, 28, 1)), training=False)
