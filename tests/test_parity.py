"""The reference recipe against an independent implementation in NumPy (`reference_dcgan`)."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import gan, losses
from gan_jax.data import images
from gan_jax.experiment import Experiment
from gan_jax.networks import dcgan
from gan_jax.optimizers import Adam
from tests import reference_dcgan as reference
from tests.keras_layout import KerasRounding, from_keras, to_keras

LOSSES = {"non_saturating": losses.NonSaturating, "minimax": losses.Minimax}
BATCH = 8


def recipe(width: int, channels: int, kind: str, smoothing: float) -> Experiment:
    return Experiment(
        generator=dcgan.Generator(width=width, image_channels=channels),
        discriminator=dcgan.Discriminator(width=width, dropout=0.0),
        data=images.mnist_sample(channels=channels),
        loss=LOSSES[kind](label_smoothing=smoothing),
        generator_optimizer=Adam(eps=1e-7, form="keras", schedule=KerasRounding()),
        discriminator_optimizer=Adam(eps=1e-7, form="keras", schedule=KerasRounding()),
        batch_size=BATCH,
        steps=10,
    )


class Pair:
    """The same weights, latents and images on both sides, and ten updates of each."""

    def __init__(self, dtype, width, channels=1, kind="non_saturating", smoothing=0.0, seed=0):
        """Draws weights (statistics, gains and biases off 0 and 1) and images."""
        self.experiment = recipe(width, channels, kind, smoothing)
        random = np.random.default_rng(seed)
        params, statistics = reference.init(seed, width, channels)
        self.params = reference.tree_map(
            lambda p: p + 0.1 * random.standard_normal(p.shape) * (p.ndim == 1), params
        )
        self.statistics = reference.tree_map(
            lambda s: s + 0.1 * np.abs(random.standard_normal(s.shape)), statistics
        )
        self.images = random.uniform(-1, 1, (10, BATCH, 28, 28, channels))
        self.dtype, self.options = dtype, {"kind": kind, "label_smoothing": smoothing}

        generator, batch_stats, discriminator = self.cast(from_keras(self.params, self.statistics))
        state = gan.init(self.experiment, seed)
        self.state = state.replace(
            generator=self.player(
                state.generator, generator, {"batch_stats": batch_stats}, "generator"
            ),
            discriminator=self.player(state.discriminator, discriminator, {}, "discriminator"),
        )

    def cast(self, tree):
        return jax.tree.map(lambda leaf: jnp.asarray(leaf, self.dtype), tree)

    def player(self, player, params, variables, name):
        optimizer = getattr(self.experiment, f"{name}_optimizer").build()
        return gan.Player(params, variables, optimizer.init(params))

    def latent(self, step):
        key = gan.stream_key(self.state.key, step, gan.Stream.LATENT)
        return gan.draw_latent(self.experiment, key, BATCH)

    def batch(self, step):
        return {"sample": jnp.asarray(self.images[step], self.dtype), "condition": None}


def assert_close(ours, theirs, bound):
    """Largest difference within `bound` of the largest magnitude, for each tensor."""
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path(ours), jax.tree.leaves(theirs), strict=True
    ):
        error = np.abs(np.asarray(a, np.float64) - b).max() / np.abs(b).max()
        assert error <= bound, f"{jax.tree_util.keystr(path)}: {error:.1e}"


SETTINGS = [
    pytest.param({"width": 8}, marks=pytest.mark.slow),
    {"width": 4, "kind": "minimax", "smoothing": 0.1},
    pytest.param({"width": 4, "channels": 3}, marks=pytest.mark.slow),
]


def check_networks(pair, bound):
    latent, image = np.asarray(pair.latent(0)), pair.images[0]
    params, statistics = pair.params["generator"], pair.statistics
    expected, _ = reference.generator(params, statistics, latent, training=False)
    actual = gan.generate(pair.experiment, pair.state, pair.latent(0))
    assert_close(actual, expected, bound)
    logits = gan.discriminate(pair.experiment, pair.state, pair.batch(0)["sample"])
    assert_close(logits, reference.discriminator(pair.params["discriminator"], image), bound)

    expected, moved = reference.generator(params, statistics, latent, training=True)
    generator = pair.state.generator
    actual, variables = pair.experiment.generator.apply(
        {"params": generator.params, **generator.variables},
        pair.latent(0),
        training=True,
        mutable=["batch_stats"],
    )
    assert_close(actual, expected, bound)
    assert_close(variables["batch_stats"], from_keras(pair.params, moved)[1], bound)


@functools.partial(jax.jit, static_argnums=0)
def first_game(experiment, state, batch):
    """Fake logits, and both players' losses and gradients."""
    forward = gan.forward_pass(experiment, state, batch, 0)
    found = {}
    for name in ("generator", "discriminator"):
        loss = getattr(experiment.loss, name)
        value, cotangents = jax.value_and_grad(lambda pair, f=loss: f(*pair).mean())(
            forward.outputs
        )
        found[name] = value, getattr(forward, f"{name}_gradient")(cotangents)
    return forward.outputs[1], found


def check_losses_and_gradients(pair, bound):
    latent = np.asarray(pair.latent(0))
    values, gradient, _ = reference.gradients(
        pair.params, pair.statistics, latent, pair.images[0], **pair.options
    )
    ours, _, theirs = from_keras(gradient, pair.statistics)
    fake_logits, found = first_game(pair.experiment, pair.state, pair.batch(0))
    for name, expected in (("generator", ours), ("discriminator", theirs)):
        assert_close(found[name][0], np.asarray(values[name]), bound)
        assert_close(found[name][1], expected, bound)
    made, _ = reference.generator(pair.params["generator"], pair.statistics, latent, training=True)
    expected = reference.discriminator(pair.params["discriminator"], made)
    assert_close(fake_logits, expected, bound)


def check_updates(pair, steps, bound):
    params, statistics, adam = pair.params, pair.statistics, reference.adam_init(pair.params)
    state, update = pair.state, jax.jit(gan.update, static_argnums=0)
    for step in range(steps):
        latent = np.asarray(pair.latent(step))
        params, statistics, adam, values = reference.update(
            params, statistics, adam, latent, pair.images[step], keras_form=True, **pair.options
        )
        state, metrics = update(pair.experiment, state, pair.batch(step))
        assert_close(metrics["generator_loss"], np.asarray(values["generator"]), bound)
        assert_close(metrics["discriminator_loss"], np.asarray(values["discriminator"]), bound)
        ours, batch_stats, theirs = from_keras(params, statistics)
        assert_close(state.generator.params, ours, bound)
        assert_close(state.generator.variables["batch_stats"], batch_stats, bound)
        assert_close(state.discriminator.params, theirs, bound)


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS)
def test_float64_agrees_through_ten_updates(settings):
    with jax.enable_x64(True):
        pair = Pair(jnp.float64, **settings)
        check_networks(pair, 1e-11)
        check_losses_and_gradients(pair, 1e-11)
        check_updates(pair, 10, 1e-9)


@pytest.mark.parametrize("settings", SETTINGS)
def test_float32_agrees_through_one_update(settings):
    pair = Pair(jnp.float32, **settings)
    check_networks(pair, 1e-4)
    check_losses_and_gradients(pair, 1e-4)
    check_updates(pair, 1, 1e-4)


def test_the_layouts_are_inverses():
    params, statistics = reference.init(0, 4, 3)
    back = to_keras(*from_keras(params, statistics))
    jax.tree.map(np.testing.assert_array_equal, back, (params, statistics))


def test_initial_parameters_are_drawn_as_in_the_reference():
    experiment = recipe(16, 1, "non_saturating", 0.0)
    state = gan.init(experiment, 3)
    generator, batch_stats, discriminator = from_keras(*reference.init(0, 16, 1))
    for ours, theirs in (
        (state.generator.params, generator),
        (state.generator.variables["batch_stats"], batch_stats),
        (state.discriminator.params, discriminator),
    ):
        for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
            assert a.shape == b.shape
            if a.size > 1000:  # the spread of a uniform draw, to three sigma
                assert np.std(a) == pytest.approx(np.std(b), rel=3 / a.size**0.5)
                assert np.abs(a).max() == pytest.approx(np.abs(b).max(), rel=0.01)
            elif a.ndim == 1:
                np.testing.assert_array_equal(a, b)
