"""The recurrent generator against NumPy, its draws, their gradient, and its temperature."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from gan_jax import gan, sampling
from gan_jax.common.errors import RequestError
from gan_jax.data import text as text_data
from gan_jax.experiment import Experiment
from gan_jax.losses import RelativisticPairing
from gan_jax.networks import recurrent_text, text
from gan_jax.optimizers import Adam, Schedule
from gan_jax.penalties import R1
from gan_jax.training.train import train

VOCABULARY, LENGTH, WIDTH = 5, 4, 3
GENERATOR = recurrent_text.Generator(VOCABULARY, LENGTH, WIDTH)
LATENTS = jnp.asarray(
    np.random.default_rng(0).normal(size=(6, 2 + LENGTH * VOCABULARY)), jnp.float32
)


def drawn(module=GENERATOR, latents=LATENTS):
    """Variables with biases that are not zero."""
    variables = module.init(jax.random.key(0), latents, training=True)
    random = np.random.default_rng(2)
    params = jax.tree.map(
        lambda leaf: leaf + random.normal(0, 0.5, leaf.shape), variables["params"]
    )
    return variables | {"params": params}


def dense(of, x):
    return x @ of["kernel"] + of.get("bias", 0)


def written(params, latents):
    """Cho et al. (2014), first version: the reset gate comes after the product."""
    code, noise = latents[:, :2], latents[:, 2:].reshape(-1, LENGTH, VOCABULARY)
    hidden = np.tanh(dense(params["Dense_0"], code))
    symbol, symbols = np.zeros((len(latents), VOCABULARY)), []
    (writer,) = (of for name, of in params.items() if name != "Dense_0")
    cell = writer["GRUCell_0"]
    for place in range(LENGTH):
        reset = special.expit(dense(cell["ir"], symbol) + dense(cell["hr"], hidden))
        keep = special.expit(dense(cell["iz"], symbol) + dense(cell["hz"], hidden))
        new = np.tanh(dense(cell["in"], symbol) + reset * dense(cell["hn"], hidden))
        hidden = (1 - keep) * new + keep * hidden
        uniform = special.ndtr(noise[:, place])
        scores = dense(writer["Dense_0"], hidden) - np.log(-np.log(uniform))
        symbol = np.eye(VOCABULARY)[scores.argmax(-1)]
        symbols.append(symbol)
    return np.stack(symbols, axis=1)


@pytest.mark.parametrize("training", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_it_writes_what_numpy_writes(training):
    variables = drawn()
    found, _ = GENERATOR.apply(variables, LATENTS, training=training, mutable=["temperature"])
    np.testing.assert_array_equal(found, written(variables["params"], np.float64(LATENTS)))


def test_symbols_are_drawn_as_often_as_the_softmax_says():
    generator = recurrent_text.Generator(VOCABULARY, 1, WIDTH)
    latents = jax.random.normal(jax.random.key(1), (20_000, 1 + VOCABULARY))
    variables = generator.init(jax.random.key(0), latents, training=True)
    variables = jax.tree.map(jnp.zeros_like, variables)
    logits = np.log([0.5, 0.3, 0.1, 0.07, 0.03])
    (writer,) = (of for name, of in variables["params"].items() if name != "Dense_0")
    writer["Dense_0"]["bias"] = jnp.asarray(logits, jnp.float32)
    found = generator.apply(variables, latents, training=False).mean((0, 1))
    np.testing.assert_allclose(found, np.exp(logits), atol=0.012)


def test_the_gradient_of_a_draw_is_that_of_the_softmax_with_the_temperature():
    temperature = 0.7
    generator = recurrent_text.Generator(VOCABULARY, 1, WIDTH, Schedule(start=temperature))
    latents = LATENTS[:1, : 1 + VOCABULARY]
    variables = drawn(generator, latents)
    weights = np.arange(VOCABULARY, dtype=np.float32)

    def value(params):
        sample = generator.apply(variables | {"params": params}, latents, training=False)
        return (sample[0, 0] * weights).sum()

    gradient = jax.grad(value)(variables["params"])
    (name,) = (name for name in gradient if name != "Dense_0")
    of, found = variables["params"][name]["Dense_0"], gradient[name]["Dense_0"]
    hidden = found["kernel"][:, 0] / found["bias"][0]  # the gradient of the kernel is their product
    gumbel = -np.log(-special.log_ndtr(np.float64(latents[0, 1:])))
    soft = special.softmax((dense(of, np.asarray(hidden)) + gumbel) / temperature)
    expected = soft * (weights - soft @ weights) / temperature
    np.testing.assert_allclose(found["bias"], expected, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["simultaneous", "alternating"])
def test_the_temperature_follows_the_steps_of_the_generator(order, tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("to be or not to be " * 9, encoding="utf-8")
    experiment = Experiment(
        generator=recurrent_text.Generator(7, LENGTH, WIDTH, Schedule("linear", 4, end=0.1)),
        discriminator=text.Discriminator(width=4),
        data=text_data.characters(file, 7, LENGTH),
        latent_size=2 + LENGTH * 7,
        loss=RelativisticPairing(),
        penalties=(R1(1.0),),
        generator_optimizer=Adam(1e-3),
        discriminator_steps=2,
        update_order=order,
        batch_size=4,
        steps=3,
    )
    update = jax.jit(gan.update, static_argnums=0)
    state = gan.init(experiment, 0)
    assert state.generator.variables["temperature"]["steps"] == 0
    for step in range(3):
        batch = experiment.data.batch(0, step, experiment.examples_per_step)
        state, metrics = update(experiment.static, state, batch)
    assert state.generator.variables["temperature"]["steps"] == 3
    assert np.isfinite(metrics["gradient_norm_generator"])


def test_latents_that_are_not_normal_are_refused(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("to be or not to be " * 9, encoding="utf-8")
    experiment = Experiment(
        generator=recurrent_text.Generator(7, LENGTH, WIDTH),
        discriminator=text.Discriminator(width=4),
        data=text_data.characters(file, 7, LENGTH),
        latent_size=2 + LENGTH * 7,
        latent_distribution="uniform",
        batch_size=4,
        steps=1,
    )
    with pytest.raises(RequestError, match="latent_distribution = 'uniform': the generator needs"):
        train(experiment, tmp_path / "run")
    normal = dataclasses.replace(experiment, latent_distribution="normal")
    with pytest.raises(RequestError, match=r"truncation = 1\.0: the generator needs the tails"):
        sampling.draw_latents(normal, 0, 4, truncation=1.0)


def test_what_is_wrong_is_refused():
    with pytest.raises(RequestError, match="latent_size = 20: must be above 20"):
        drawn(latents=LATENTS[:, :20])
    with pytest.raises(RequestError, match="networks take no condition"):
        GENERATOR.init(jax.random.key(0), LATENTS, np.zeros(6, np.int32), training=True)
    with pytest.raises(RequestError, match=r"Generator\.width = 0: must be at least 1"):
        dataclasses.replace(GENERATOR, width=0)
    for wrong in (Schedule("linear", 9), Schedule(start=0.0)):
        with pytest.raises(RequestError, match=r"Generator\.temperature = .*must stay above 0"):
            recurrent_text.Generator(VOCABULARY, temperature=wrong)
    with pytest.raises(RequestError, match=r"Generator\.temperature = 0\.5"):
        recurrent_text.Generator(VOCABULARY, temperature=0.5)
