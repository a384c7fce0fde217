"""Times implementation choices of the package against what they replace, alternately.

    python benchmarks/pieces.py

They are dropout's random bits, how many samples are drawn at a time, and the rule by which a
convolution on CPU is direct, in the Fourier domain, of small tiles, or a product with patches.
"""

import itertools
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Hashable
from functools import partial

import flax.linen as nn
import jax
import tyro

from gan_jax import gan
from gan_jax.data import images
from gan_jax.experiment import Experiment
from gan_jax.networks import dcgan
from gan_jax.networks.layers import Dropout
from gan_jax.ops import conv
from gan_jax.ops.geometry import convolution
from gan_jax.sampling import samples

ROUNDS = 7
BATCHES, CHANNELS = (16, 64), ((1, 64), (32, 64), (64, 128))
IMAGES = itertools.product(((7, 7), (14, 14), (28, 28)), ((3, 3), (5, 5)), (1, 2))
SEQUENCES = itertools.product(((32, 1), (512, 1)), ((5, 1), (7, 1)), (1,))
SHAPES = (*IMAGES, *SEQUENCES)  # sizes of maps, kernels, strides


def main() -> None:
    """Measures and prints everything."""
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
          f"Python {platform.python_version()}, JAX {jax.__version__}")  # fmt: skip
    dropout()
    sampling()
    cost_rule()


def dropout() -> None:
    """Times one dropout mask for the activations of the reference discriminator's first layer."""
    x = jax.random.normal(jax.random.key(0), (256, 14, 14, 64))
    rngs = {"dropout": jax.random.key(1)}
    ours = jax.jit(lambda x: Dropout(0.3).apply({}, x, training=True, rngs=rngs))
    flax = jax.jit(lambda x: nn.Dropout(0.3, deterministic=False).apply({}, x, rngs=rngs))
    seconds = in_turns({"gan_jax": partial(ours, x), "Flax": partial(flax, x)})
    print(f"dropout of {x.size / 1e6:.1f} million activations: {milliseconds(seconds)}")


def sampling() -> None:
    """Times samples of the reference's generator, 64 or 256 at a time."""
    experiment = Experiment(
        generator=dcgan.Generator(),
        discriminator=dcgan.Discriminator(),
        data=images.mnist_sample(),
        steps=1,
    )
    state = jax.jit(gan.init, static_argnums=(0, 1))(experiment, 0)
    generate = jax.jit(partial(gan.generate, experiment))
    latents = {n: gan.draw_latent(experiment, jax.random.key(0), n) for n in (64, samples.BATCH)}
    seconds = in_turns({f"{n} together": partial(generate, state, z) for n, z in latents.items()})
    each = {name: s / int(name.split()[0]) for name, s in seconds.items()}
    print(f"a sample: {milliseconds(each, digits=2)}")


def cost_rule() -> None:
    """Measures the time that the rule loses by slower forms, relative to the fastest forms.

    It counts as a loss, too, where the rule spares the time of compiling.
    """
    best = chosen = only_direct = 0.0
    for batch, (fine, coarse), shape in itertools.product(BATCHES, CHANNELS, SHAPES):
        geometry = convolution(*shape)
        maps = (
            jax.random.normal(jax.random.key(0), (batch, *geometry.fine, fine)),
            jax.random.normal(jax.random.key(1), (*geometry.kernel, fine, coarse)),
            jax.random.normal(jax.random.key(2), (batch, *geometry.coarse, coarse)),
        )
        for forms, operands in (
            (conv._down_forms, maps[:2]),
            (conv._up_forms, (maps[2], maps[1])),
            (conv._filter_forms, maps[::2]),
        ):
            costs = forms(geometry, batch, fine, coarse)
            costs = {form: cost for form, cost in costs.items() if math.isfinite(cost)}
            calls = {form: partial(jax.jit(partial(form, geometry)), *operands) for form in costs}
            seconds = in_turns(calls, rounds=3)
            best += min(seconds.values())
            chosen += seconds[min(costs, key=costs.get)]
            only_direct += seconds[next(iter(costs))]
    print(
        f"convolutions by the cost rule: {chosen / best - 1:.1%} more time than the fastest form of"
    )
    print(f"  each; all of them direct: {only_direct / best - 1:.0%} more")


def in_turns(calls: dict[Hashable, Callable], rounds: int = ROUNDS) -> dict[Hashable, float]:
    """Returns the median seconds of each call, after a first one that compiles."""
    seconds: dict[Hashable, list[float]] = {name: [] for name in calls}
    for index in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            jax.block_until_ready(call())
            if index:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def milliseconds(seconds: dict[str, float], digits: int = 1) -> str:
    return ", ".join(f"{name} {1e3 * s:.{digits}f} ms" for name, s in seconds.items())


if __name__ == "__main__":
    tyro.cli(main)
