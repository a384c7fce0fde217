"""The trace of this package for `parity_keras.py`, computed by `gan.update`."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import gan
from gan_jax.data import images as image_data
from gan_jax.experiment import Experiment
from gan_jax.networks import dcgan
from gan_jax.optimizers import Adam
from tests.keras_layout import KerasRounding, from_keras, to_keras

SEED = 0


def draw_latents(updates: int, batch: int, precision: str) -> np.ndarray:
    """Returns the latents that `gan.update` draws in its first steps, for all implementations."""
    with jax.enable_x64(precision == "float64"):
        experiment = _experiment(1, 1, batch)
        keys = [
            gan.stream_key(jax.random.key(SEED), step, gan.Stream.LATENT) for step in range(updates)
        ]
        return np.stack([gan.draw_latent(experiment, key, batch) for key in keys])


def gan_jax_trace(weights: dict, latents: np.ndarray, images: np.ndarray) -> dict:
    """Returns the trace of this package; the arguments are those of `parity_keras.keras_trace`.

    `latents` must come from `draw_latents`: the update draws the same ones itself.
    """
    # TensorFlow's leaky_relu has a float32 slope in every precision.
    dcgan.leaky_relu = functools.partial(nn.leaky_relu, negative_slope=float(np.float32(0.3)))
    precision = latents.dtype.name
    with jax.enable_x64(precision == "float64"):
        width = weights["params"]["discriminator"]["conv_0"]["bias"].size
        experiment = _experiment(width, images.shape[-1], latents.shape[1])
        state = _state(experiment, weights, precision)
        trace = _outputs(experiment, state, latents[0], images[0])
        update = jax.jit(gan.update, static_argnums=0)
        for index, image in enumerate(images, start=1):
            state, _ = update(experiment, state, _batch(image))
            if index in (1, len(images)):
                trace |= _variables(state, index)
        return {name: np.asarray(value) for name, value in trace.items()}


def _outputs(experiment: Experiment, state: gan.GANState, latent, image) -> dict:
    made = gan.generate(experiment, state, jnp.asarray(latent))
    trace = {
        "inference: images": made,
        "inference: fake logits": gan.discriminate(experiment, state, made),
    }
    generator = state.generator
    trace["training: images"], _ = experiment.generator.apply(
        {"params": generator.params, **generator.variables},
        jnp.asarray(latent),
        training=True,
        mutable=list(generator.variables),
    )
    forward = gan.forward_pass(experiment, state, _batch(image), 0)
    trace["training: real logits"], trace["training: fake logits"] = forward.outputs
    gradients = {}
    for position, player in enumerate(("generator", "discriminator")):
        trace[f"losses: {player}"], cotangents = jax.value_and_grad(
            lambda logits, player=player: getattr(experiment.loss, player)(*logits).mean()
        )(forward.outputs)
        gradients[player] = forward.pullback(cotangents)[position]
    statistics = generator.variables["batch_stats"]
    for player, tree in _in_keras_layout(gradients, statistics)[0].items():
        trace |= {f"gradients of {player}: {name}": g for name, g in _flat(tree).items()}
    return trace


def _variables(state: gan.GANState, updates: int) -> dict:
    params = {"generator": state.generator.params, "discriminator": state.discriminator.params}
    players, statistics = _in_keras_layout(params, state.generator.variables["batch_stats"])
    trace = {
        f"statistics of generator after {updates}: {name}": array
        for name, array in _flat(statistics).items()
    }
    for player, tree in players.items():
        for name, array in _flat(tree).items():
            trace[f"parameters of {player} after {updates}: {name}"] = array
    return trace


def _in_keras_layout(players: dict, statistics: dict) -> tuple[dict, dict]:
    return to_keras(players["generator"], statistics, players["discriminator"])


def _flat(tree: dict) -> dict:
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def _state(experiment: Experiment, weights: dict, precision: str) -> gan.GANState:
    converted = from_keras(weights["params"], weights["statistics"])
    generator, statistics, discriminator = jax.tree.map(
        lambda leaf: jnp.asarray(leaf, precision), converted
    )
    state = gan.init(experiment, SEED)
    return state.replace(
        generator=gan.Player(
            generator,
            {"batch_stats": statistics},
            experiment.generator_optimizer.build().init(generator),
        ),
        discriminator=gan.Player(
            discriminator, {}, experiment.discriminator_optimizer.build().init(discriminator)
        ),
    )


def _batch(image: np.ndarray) -> gan.Batch:
    return {"sample": jnp.asarray(image), "condition": None}


def _experiment(width: int, channels: int, batch: int) -> Experiment:
    return Experiment(
        generator=dcgan.Generator(width=width, image_channels=channels),
        discriminator=dcgan.Discriminator(width=width, dropout=0.0),
        data=image_data.mnist_sample(channels=channels),
        generator_optimizer=Adam(eps=1e-7, form="keras", schedule=KerasRounding()),
        discriminator_optimizer=Adam(eps=1e-7, form="keras", schedule=KerasRounding()),
        batch_size=batch,
        steps=1,
    )
