import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import losses, penalties
from gan_jax.common.errors import RequestError
from gan_jax.networks import r3gan
from gan_jax.training.preflight import check_shapes
from tests.tiny import init, tiny, update

KEY = jax.random.key(0)
SMALL = {"widths": (8, 4), "group": 4}


def test_blocks_start_as_the_identity():
    x = jax.random.normal(KEY, (2, 5, 5, 8))
    block = r3gan.Block(group=4, expansion=2, blocks=3)
    y, variables = block.init_with_output(KEY, x)
    np.testing.assert_array_equal(y, x)
    shapes = jax.tree.map(jnp.shape, variables["params"])
    assert shapes["Dense_0"]["kernel"] == (8, 16)
    assert shapes["Conv_0"]["kernel"] == (3, 3, 4, 16)
    assert shapes["Dense_1"]["kernel"] == (16, 8)


def test_activations_keep_their_scale_and_first_layers_are_scaled_down():
    """Fix-up: the variance after a layer with its ReLU is blocks^-0.5 of the one before."""
    x = jax.random.normal(KEY, (64, 4, 4, 256))
    variables = r3gan.Block(group=16, expansion=2, blocks=16).init(KEY, x)["params"]
    y = r3gan.leaky_relu(x @ variables["Dense_0"]["kernel"])
    assert float(jnp.square(y).mean()) == pytest.approx(16**-0.5, rel=0.1)


@pytest.mark.parametrize("classes", [0, 3])
def test_shapes(classes):
    generator = r3gan.Generator(**SMALL, image_channels=1, classes=classes)
    discriminator = r3gan.Discriminator(**SMALL, classes=classes)
    labels = jnp.array([0, 2]) if classes else None
    images, _ = generator.init_with_output(KEY, jnp.ones((2, 6)), labels, training=True)
    assert images.shape == (2, 8, 8, 1)
    logits, variables = discriminator.init_with_output(KEY, images, labels, training=True)
    assert logits.shape == (2,)
    assert set(variables) == {"params"}


@pytest.mark.parametrize("embedding", [0, 96])
def test_conditional_logits_start_with_the_deviation_that_one_class_leaves(embedding):
    """The variance of a weight is 1 / (classes * features), as each class has one row of them."""
    classes, width = 25, 64
    discriminator = r3gan.Discriminator((width,), classes=classes, embedding=embedding)
    images = jax.random.normal(KEY, (2000, 4, 4, 3))
    labels = jnp.arange(2000) % classes
    logits, variables = discriminator.init_with_output(KEY, images, labels, training=True)
    params = variables["params"]
    x = images @ params["Dense_0"]["kernel"]  # blocks start as the identity
    features = jnp.einsum("bhwc,hwc->bc", x, params["pattern"])
    expected = jnp.square(features).sum(-1).mean() / (classes * width)
    assert float(jnp.square(logits).mean()) == pytest.approx(float(expected), rel=0.25)
    embedded = features @ params["Dense_1"]["kernel"]
    last = params["Dense_2"]["kernel"][labels] if embedding else jnp.eye(classes)[labels]
    np.testing.assert_allclose(logits, (embedded * last).sum(-1), rtol=1e-3, atol=1e-4)


def test_the_stages_resample_with_zeros_beyond_the_borders():
    """A constant image stays constant but at the borders, which the filter darkens."""
    generator = r3gan.Generator((16, 16), image_channels=1)
    params = generator.init(KEY, jnp.ones((1, 6)), training=True)["params"]
    params = jax.tree.map(jnp.ones_like, params)
    params |= {f"Block_{i}": jax.tree.map(jnp.zeros_like, params[f"Block_{i}"]) for i in (0, 1)}
    image = generator.apply({"params": params}, jnp.ones((1, 6)), training=True)[0, :, :, 0]
    row = np.array([3 / 4, *[1] * 6, 3 / 4])
    np.testing.assert_allclose(image / image[3, 3], np.outer(row, row), rtol=1e-5)
    discriminator = r3gan.Discriminator((16, 16))
    drawn = discriminator.init(KEY, jnp.ones((1, 8, 8, 1)), training=True)["params"]
    params = {name: jax.tree.map(jnp.ones_like, drawn[name]) for name in drawn}
    params |= {f"Block_{i}": jax.tree.map(jnp.zeros_like, params[f"Block_{i}"]) for i in (0, 1)}
    (logit,) = discriminator.apply({"params": params}, jnp.ones((1, 8, 8, 1)), training=True)
    assert float(logit) == pytest.approx(16 * (2 + 2 * 7 / 8) ** 2, rel=1e-5)


@pytest.mark.slow
def test_it_trains_with_its_loss_and_penalties():
    experiment = tiny(
        generator=r3gan.Generator(**SMALL, image_channels=1),
        discriminator=r3gan.Discriminator(**SMALL),
        loss=losses.RelativisticPairing(),
        penalties=(penalties.R1(1.0), penalties.R2(1.0)),
    )
    check_shapes(experiment)
    state = init(experiment, 0)
    new, metrics = update(experiment, state, experiment.data.batch(0, 0, 16))
    assert all(np.isfinite(float(value)) for value in metrics.values())
    for player in ("generator", "discriminator"):
        old, moved = getattr(state, player).params, getattr(new, player).params
        changed = jax.tree.map(lambda a, b: bool((a != b).any()), old, moved)
        assert sum(jax.tree.leaves(changed)) > 4


@pytest.mark.parametrize("kind", [r3gan.Generator, r3gan.Discriminator])
def test_wrong_fields_are_refused(kind):
    with pytest.raises(RequestError, match=r"widths = \(6,\): .* multiple of group = 16"):
        kind(widths=(6,))
    with pytest.raises(RequestError, match=rf"{kind.__name__}\.blocks = 0"):
        kind(blocks=0)
    if kind is r3gan.Discriminator:
        with pytest.raises(RequestError, match=r"embedding = 8: is of labels; give classes"):
            kind(embedding=8)
    with pytest.raises(RequestError, match="give the data labels=False"):
        inputs = jnp.zeros((1, 8, 8, 1)) if kind is r3gan.Discriminator else jnp.zeros((1, 4))
        kind(**SMALL).init(KEY, inputs, jnp.zeros(1, jnp.int32), training=False)
