"""Keras's names, layouts and roundings (those of `reference_dcgan`), to Flax's and back."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

LAYERS = range(3)


def from_keras(params: dict, statistics: dict) -> tuple[dict, dict, dict]:
    """Generator's params, its batch_stats, and discriminator's params, as Flax has them."""
    generator = params["generator"]
    ours = {"Dense_0": generator["dense"]}
    batch_stats = {}
    for i in LAYERS:
        kernel, norm = generator[f"transposed_conv_{i}"]["kernel"], generator[f"batch_norm_{i}"]
        ours[f"ConvTranspose_{i}"] = {"kernel": _flipped(kernel)}
        ours[f"BatchNorm_{i}"] = {"scale": norm["gamma"], "bias": norm["beta"]}
        moving = statistics[f"batch_norm_{i}"]
        batch_stats[f"BatchNorm_{i}"] = {
            "mean": moving["moving_mean"],
            "var": moving["moving_variance"],
        }
    discriminator = params["discriminator"]
    names = {"conv_0": "Conv_0", "conv_1": "Conv_1", "dense": "Dense_0"}
    return ours, batch_stats, {names[name]: layer for name, layer in discriminator.items()}


def to_keras(generator: dict, batch_stats: dict, discriminator: dict) -> tuple[dict, dict]:
    """The inverse of `from_keras`: params of both players, and the generator's statistics."""
    theirs = {"dense": generator["Dense_0"]}
    statistics = {}
    for i in LAYERS:
        norm, moving = generator[f"BatchNorm_{i}"], batch_stats[f"BatchNorm_{i}"]
        kernel = generator[f"ConvTranspose_{i}"]["kernel"]
        theirs[f"transposed_conv_{i}"] = {"kernel": _flipped(kernel)}
        theirs[f"batch_norm_{i}"] = {"gamma": norm["scale"], "beta": norm["bias"]}
        statistics[f"batch_norm_{i}"] = {
            "moving_mean": moving["mean"],
            "moving_variance": moving["var"],
        }
    names = {"Conv_0": "conv_0", "Conv_1": "conv_1", "Dense_0": "dense"}
    players = {
        "generator": theirs,
        "discriminator": {names[name]: layer for name, layer in discriminator.items()},
    }
    return players, statistics


def _flipped(kernel: np.ndarray) -> np.ndarray:
    """Keras's transposed kernel [height, width, out, in] to Flax's unflipped HWIO, and back."""
    return np.asarray(kernel)[::-1, ::-1].transpose(0, 1, 3, 2)


@dataclasses.dataclass(frozen=True)
class KerasRounding:
    """Keras takes the betas of Adam's bias correction through float32, in every precision."""

    def build(self) -> Callable[[jax.Array], jax.Array]:
        """Returns the factor that this puts on the step size of each update."""

        def correction(b1: float, b2: float, t: jax.Array) -> jax.Array:
            return jnp.sqrt(1 - b2**t) / (1 - b1**t)

        rounded = [float(np.float32(beta)) for beta in (0.9, 0.999)]
        return lambda count: correction(*rounded, count + 1.0) / correction(0.9, 0.999, count + 1.0)
