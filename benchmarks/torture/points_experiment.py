"""Perceptrons of width 4 on a ring of points: all that a run writes, in a second of training."""

import dataclasses

from gan_jax.data import points
from gan_jax.experiment import Experiment
from gan_jax.networks import mlp

experiment = Experiment(
    generator=mlp.Generator(width=4),
    discriminator=mlp.Discriminator(width=4),
    data=dataclasses.replace(points.ring(), count=200),
    latent_size=4,
    batch_size=16,
    steps=80,
    ema_decay=0.9,
    log_every=5,
    sample_every=20,
    save_every=4,
    evaluate_every=20,
    evaluate_samples=100,
)
