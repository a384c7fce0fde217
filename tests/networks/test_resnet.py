import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import gan, losses, penalties
from gan_jax.common.errors import RequestError
from gan_jax.networks import resnet
from gan_jax.networks.conditions import AuxiliaryClassifierOutput
from gan_jax.training.preflight import check_shapes
from tests.tiny import init, tiny, update

KEY = jax.random.key(0)


def parameters(variables):
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


def sizes(network, *inputs):
    return jax.eval_shape(lambda: network.init(KEY, *inputs, training=False))


def test_the_networks_of_sngan_have_the_published_sizes():
    """Counted by hand from the tables of Miyato et al. (2018) for 32 x 32."""
    generator = sizes(resnet.Generator(), jnp.zeros((1, 128)))
    conv, norm = 9 * 256 * 256 + 256, 2 * 256
    block = 2 * conv + 2 * norm + 256 * 256 + 256
    by_hand = 128 * 4096 + 4096 + 3 * block + norm + 9 * 256 * 3 + 3
    assert parameters(generator) == by_hand
    discriminator = sizes(resnet.Discriminator(), jnp.zeros((1, 32, 32, 3)))
    conv = 9 * 128 * 128 + 128
    first = 9 * 3 * 128 + 128 + conv + 3 * 128 + 128
    by_hand = first + (2 * conv + 128 * 128 + 128) + 2 * (2 * conv) + 128 + 1
    assert parameters(discriminator) == by_hand


@pytest.mark.parametrize("size", [8, 28, 32])
@pytest.mark.parametrize("attention", [False, True])
def test_images_of_every_size(size, attention):
    generator = resnet.Generator(4, size, 1, attention=attention, spectral=attention)
    discriminator = resnet.Discriminator(4, attention=attention)
    images, _ = generator.init_with_output(KEY, jnp.ones((2, 3)), training=False)
    assert images.shape == (2, size, size, 1)
    assert jnp.abs(images).max() <= 1
    logits, variables = discriminator.init_with_output(KEY, images, training=False)
    assert logits.shape == (2,)
    assert set(variables) == {"params", "spectral"}


def test_the_label_changes_samples_and_logits():
    generator = resnet.Generator(4, 8, 1, classes=3)
    discriminator = resnet.Discriminator(4, classes=3)
    latent, labels = jnp.ones((3, 5)), jnp.arange(3)
    variables = generator.init(KEY, latent, labels, training=False)
    assert variables["params"]["Normalise_0"]["scales"].shape == (3, 4)
    scales = jax.random.normal(KEY, (3, 4))
    variables["params"]["Normalise_0"]["scales"] = scales
    images = np.asarray(generator.apply(variables, latent, labels, training=False))
    assert not np.allclose(images[0], images[1])
    image = jnp.repeat(jax.random.normal(KEY, (1, 8, 8, 1)), 3, axis=0)
    logits, _ = discriminator.init_with_output(KEY, image, labels, training=False)
    assert len(set(np.asarray(logits).tolist())) == 3


def test_projection_is_a_product_with_the_embedded_label():
    """Differences of logits between classes are those of the embeddings times the features."""
    discriminator = resnet.Discriminator(4, classes=3, spectral=False)
    image = jnp.repeat(jax.random.normal(KEY, (1, 8, 8, 1)), 3, axis=0)
    labels = jnp.arange(3)
    variables = discriminator.init(KEY, image, labels, training=False)
    embedding = variables["params"]["label"]["layer"]["embedding"]
    logits = discriminator.apply(variables, image, labels, training=False)
    without = dict(variables["params"])
    without["label"] = {"layer": {"embedding": jnp.zeros_like(embedding)}}
    base = discriminator.apply({"params": without}, image, labels, training=False)
    doubled = dict(variables["params"])
    doubled["label"] = {"layer": {"embedding": 2 * embedding}}
    twice = discriminator.apply({"params": doubled}, image, labels, training=False)
    np.testing.assert_allclose(twice - base, 2 * (logits - base), rtol=1e-3, atol=1e-5)


def conditional(**changes):
    base = tiny()
    return tiny(
        data=base.data.__class__(base.data.source, 8, 1, True),
        generator=resnet.Generator(4, 8, 1, classes=10),
        **changes,
    )


@pytest.mark.slow
def test_an_auxiliary_classifier_trains_both_players():
    discriminator = resnet.Discriminator(4, classes=10, condition_by="classifier")
    experiment = conditional(
        discriminator=discriminator,
        loss=losses.AuxiliaryClassifier(losses.Hinge()),
        penalties=(penalties.R1(1.0),),
    )
    check_shapes(experiment)
    state = init(experiment, 0)
    batch = jax.tree.map(jnp.asarray, experiment.data.batch(0, 0, 16))
    new, metrics = update(experiment, state, batch)
    assert all(np.isfinite(float(value)) for value in metrics.values())
    output = gan.discriminator_output(experiment, new, batch["sample"], batch["condition"])
    assert isinstance(output, AuxiliaryClassifierOutput)
    logits = gan.discriminate(experiment, new, batch["sample"], batch["condition"])
    np.testing.assert_array_equal(logits, output.logits)
    with pytest.raises(RequestError, match="needs a discriminator that also classifies"):
        check_shapes(
            conditional(
                discriminator=resnet.Discriminator(4, classes=10),
                loss=losses.AuxiliaryClassifier(),
            )
        )


def test_batch_norm_in_the_discriminator_excludes_gradient_penalties_and_spectral_does_not():
    networks = {"generator": resnet.Generator(4, 8, 1), "penalties": (penalties.R1(),)}
    check_shapes(tiny(discriminator=resnet.Discriminator(4), **networks))
    normalised = resnet.Discriminator(4, normalisation="batch")
    with pytest.raises(RequestError, match="BatchNorm makes it depend on the whole batch"):
        check_shapes(tiny(discriminator=normalised, **networks))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: resnet.Generator(image_size=30), r"image_size = 30: must be 4, 5, 6 or 7 times"),
        (
            lambda: resnet.Generator(classes=3, normalisation="none"),
            r"must be 'batch' with classes",
        ),
        (lambda: resnet.Generator(width=0), r"Generator\.width = 0"),
        (lambda: resnet.Discriminator(classes=-1), r"Discriminator\.classes = -1"),
    ],
)
def test_wrong_fields_are_refused(make, message):
    with pytest.raises(RequestError, match=message):
        make()
