"""Experiments small enough to train in a second, and their steps."""

import dataclasses

import jax
import numpy as np

from gan_jax import gan
from gan_jax.data import images, points
from gan_jax.experiment import Experiment
from gan_jax.networks import dcgan, mlp

# Compiled whole, as in training: operation by operation they take several times as long.
_init = jax.jit(gan.init, static_argnums=0)
update = jax.jit(gan.update, static_argnums=0)


def init(experiment: Experiment, seed: int) -> gan.GANState:
    """`gan.init`, compiled."""
    return _init(experiment, np.uint32(seed))


def tiny_points(**changes) -> Experiment:
    """Perceptrons of width 4 on points, which compile fastest; `changes` as in `tiny`."""
    networks = {"generator": mlp.Generator(width=4), "discriminator": mlp.Discriminator(width=4)}
    data = dataclasses.replace(points.ring(), count=200)
    return tiny(**({"data": data} | networks | changes))


def tiny(**changes) -> Experiment:
    """A DCGAN of width 2 on 8 x 8 digits; `changes` are fields to set otherwise."""
    experiment = Experiment(
        generator=dcgan.Generator(width=2, image_size=8),
        discriminator=dcgan.Discriminator(width=2),
        data=images.mnist_sample(split="test", size=8),
        latent_size=4,
        batch_size=16,
        steps=12,
        log_every=3,
        sample_every=6,
        save_every=5,
    )
    return dataclasses.replace(experiment, **changes)
