"""Compares the DCGAN recipe in Keras with other implementations, on the same weights and data.

Every implementation gets the same weights, latents and images and returns a trace: a dictionary
from "group: tensor" to an array. The table shows the largest error of every group, relative to the
largest magnitude in Keras's tensor, and where it is; the exit code is 1 if an error is too large.

The default precision is float64, since ten updates in float32 are not a sharp comparison: rounding
moves some pre-activations across the kink of LeakyReLU, which changes the gradient by a finite
amount, and Adam gives the many weights with small gradients updates as large as all others.

It needs `tensorflow-cpu`; TensorFlow and Keras are not dependencies of the package.

    PYTHONPATH=. python benchmarks/parity_keras.py
"""

import argparse
import os
import sys
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.gan_jax_trace import draw_latents, gan_jax_trace
from benchmarks.parity import Trace, report
from tests import reference_dcgan, reference_layers

UPDATES = 10
BATCH = 16
TOLERANCES = {"float64": 1e-9, "float32": 1e-4}


def keras_models(width: int, image_channels: int) -> dict[str, keras.Model]:
    """Returns generator and discriminator of the TensorFlow tutorial, without its dropout."""

    def normalised(index: int) -> list[layers.Layer]:
        return [
            layers.BatchNormalization(name=f"batch_norm_{index}"),
            layers.LeakyReLU(negative_slope=0.3),
        ]

    def transposed(index: int, filters: int, strides: int, **options: str) -> layers.Layer:
        options |= {"padding": "same", "use_bias": False, "name": f"transposed_conv_{index}"}
        return layers.Conv2DTranspose(filters, 5, strides, **options)

    def convolved(index: int, filters: int) -> list[layers.Layer]:
        return [
            layers.Conv2D(filters, 5, strides=2, padding="same", name=f"conv_{index}"),
            layers.LeakyReLU(negative_slope=0.3),
            layers.Dropout(0.0),
        ]

    generator = [
        layers.Input([100]),
        layers.Dense(7 * 7 * 4 * width, use_bias=False, name="dense"),
        *normalised(0),
        layers.Reshape((7, 7, 4 * width)),
        transposed(0, 2 * width, 1),
        *normalised(1),
        transposed(1, width, 2),
        *normalised(2),
        transposed(2, image_channels, 2, activation="tanh"),
    ]
    discriminator = [
        layers.Input([28, 28, image_channels]),
        *convolved(0, width),
        *convolved(1, 2 * width),
        layers.Flatten(),
        layers.Dense(1, name="dense"),
    ]
    return {
        "generator": keras.Sequential(generator),
        "discriminator": keras.Sequential(discriminator),
    }


def keras_trace(weights: dict, latents: np.ndarray, images: np.ndarray) -> Trace:
    """Returns the trace of the recipe in Keras: the tutorial's training step with Keras's Adam.

    `weights` is `{"params": ..., "statistics": ...}` in the layout of `reference_dcgan`, `latents`
    (updates, batch, 100) and `images` (updates, batch, 28, 28, channels) are in Keras's precision.
    """
    width = weights["params"]["discriminator"]["conv_0"]["bias"].size
    models = keras_models(width, images.shape[-1])
    generator, discriminator = models["generator"], models["discriminator"]
    optimizers = {player: keras.optimizers.Adam(1e-4) for player in models}
    variables = {}
    for player, model in models.items():
        optimizers[player].build(model.trainable_variables)
        for variable in model.variables:
            if "seed_generator" not in variable.path:
                variables[f"{player}/{_name(variable)}"] = variable
    for name, array in _flat(weights).items():
        variables[name].assign(array)

    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function
    def train_step(latent: tf.Tensor, image: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as for_generator, tf.GradientTape() as for_discriminator:
            made = generator(latent, training=True)
            real = discriminator(image, training=True)
            fake = discriminator(made, training=True)
            losses = {
                "generator": cross_entropy(tf.ones_like(fake), fake),
                "discriminator": cross_entropy(tf.ones_like(real), real)
                + cross_entropy(tf.zeros_like(fake), fake),
            }
        seen = {"training: images": made, "training: real logits": real[:, 0]}
        seen["training: fake logits"] = fake[:, 0]
        tapes = {"generator": for_generator, "discriminator": for_discriminator}
        for player, model in models.items():
            seen[f"losses: {player}"] = losses[player]
            gradients = tapes[player].gradient(losses[player], model.trainable_variables)
            for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
                seen[f"gradients of {player}: {_name(variable)}"] = gradient
            optimizers[player].apply_gradients(
                zip(gradients, model.trainable_variables, strict=True)
            )
        return seen

    made = generator(latents[0], training=False)
    trace = {
        "inference: images": made,
        "inference: fake logits": discriminator(made, training=False)[:, 0],
    }
    for index in range(len(latents)):
        seen = train_step(latents[index], images[index])
        if index == 0:
            trace |= seen
        if index + 1 in (1, UPDATES):
            for name, variable in variables.items():
                trace[_after(index + 1, name)] = variable.numpy()
    return {name: np.asarray(value) for name, value in trace.items()}


def numpy_trace(
    weights: dict, latents: np.ndarray, images: np.ndarray, keras_form: bool = True
) -> Trace:
    """Returns the NumPy reference's trace; takes the arguments of `keras_trace` and Adam's form."""
    # TensorFlow's leaky_relu has a float32 slope in every precision.
    reference_layers.LEAKY_SLOPE = float(np.float32(0.3))
    params, statistics = weights["params"], weights["statistics"]
    latents, images = latents.astype(np.float64), images.astype(np.float64)
    trace = {}
    for mode, training in [("inference", False), ("training", True)]:
        made, _ = reference_dcgan.generator(params["generator"], statistics, latents[0], training)
        trace[f"{mode}: images"] = made
        trace[f"{mode}: fake logits"] = reference_dcgan.discriminator(params["discriminator"], made)
    trace["training: real logits"] = reference_dcgan.discriminator(
        params["discriminator"], images[0]
    )
    losses, gradients, _ = reference_dcgan.gradients(params, statistics, latents[0], images[0])
    for player, gradient in gradients.items():
        trace[f"losses: {player}"] = losses[player]
        trace |= {f"gradients of {player}: {name}": g for name, g in _flat_tree(gradient).items()}
    adam_state = reference_dcgan.adam_init(params)
    for index in range(len(latents)):
        params, statistics, adam_state, _ = reference_dcgan.update(
            params, statistics, adam_state, latents[index], images[index], keras_form=keras_form
        )
        if index + 1 in (1, UPDATES):
            now = _flat({"params": params, "statistics": statistics})
            trace |= {_after(index + 1, name): array for name, array in now.items()}
    return trace


OTHERS = {
    "gan_jax": gan_jax_trace,
    "numpy": numpy_trace,
    "numpy-textbook-adam": partial(numpy_trace, keras_form=False),
}


def problem(drawn: bool, width: int, image_channels: int, precision: str) -> tuple:
    """Returns weights, latents and images; if `drawn`, noise is added so that none is 0 or 1."""
    params, statistics = reference_dcgan.init(0, width, image_channels)
    weights = {"params": params, "statistics": statistics}
    random = np.random.default_rng(1)

    def rounded(array: np.ndarray) -> np.ndarray:
        if drawn and array.ndim == 1:
            array = array + random.uniform(-0.3, 0.3, array.shape)
        return array.astype(precision).astype(np.float64)

    weights = reference_dcgan.tree_map(rounded, weights)
    latents = draw_latents(UPDATES, BATCH, precision)
    images = random.uniform(-1, 1, (UPDATES, BATCH, 28, 28, image_channels)).astype(precision)
    return weights, latents, images


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--others", nargs="+", choices=OTHERS, default=["gan_jax", "numpy"])
    parser.add_argument("--precision", choices=["float64", "float32"], default="float64")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--image-channels", type=int, choices=[1, 3], default=1)
    options = parser.parse_args()
    keras.config.set_floatx(options.precision)
    failed = False
    for start, drawn in [("as initialised", False), ("drawn", True)]:
        given = problem(drawn, options.width, options.image_channels, options.precision)
        expected = keras_trace(*given)
        for other in options.others:
            print(f"\nKeras {keras.__version__} and {other}, from weights {start}")
            tolerance = TOLERANCES[options.precision]
            failed |= not report(expected, OTHERS[other](*given), tolerance)
    return int(failed)


def _after(count: int, name: str) -> str:
    player, tensor = name.split("/", maxsplit=1)
    kind = "statistics" if "moving" in tensor else "parameters"
    return f"{kind} of {player} after {count}: {tensor}"


def _name(variable: keras.Variable) -> str:
    return "/".join(variable.path.split("/")[-2:])


def _flat(weights: dict) -> Trace:
    """Returns arrays by "player/layer/name"; the statistics are the generator's."""
    return _flat_tree(weights["params"]) | {
        f"generator/{name}": array for name, array in _flat_tree(weights["statistics"]).items()
    }


def _flat_tree(tree: dict, prefix: str = "") -> Trace:
    flat = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat_tree(value, f"{prefix}{name}/")
        else:
            flat[prefix + name] = value
    return flat


if __name__ == "__main__":
    sys.exit(main())
