"""The Wasserstein loss with clipped weights, as first published (Arjovsky et al., 2017).

    gan-jax train experiments/mnist_wgan_clipped.py

RMSprop at 5e-5, weights within 0.01 of zero and five critic steps, as there; networks from the
quickstart, whose critic loses its BatchNorm.

Measured: not yet.
"""

import dataclasses

import optax
from quickstart import experiment as base

from gan_jax.losses import Wasserstein
from gan_jax.networks import dcgan
from gan_jax.optimizers import clip_weights, from_optax

rmsprop = from_optax(optax.rmsprop, learning_rate=5e-5, decay=0.99)

experiment = dataclasses.replace(
    base,
    discriminator=dcgan.Discriminator(width=32, dropout=0.0, hidden=128),
    loss=Wasserstein(),
    generator_optimizer=rmsprop,
    discriminator_optimizer=from_optax(optax.chain, rmsprop, from_optax(clip_weights, 0.01)),
    update_order="alternating",
    discriminator_steps=5,
    steps=2000,
)
