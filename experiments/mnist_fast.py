"""The reference's digits in a small part of its time: the quickstart's recipe, smaller and faster.

    gan-jax train experiments/mnist_fast.py --seeds 0:5

All 60,000 digits; three quarters of the quickstart's width, two thirds of its steps, and twice its
learning rates, chosen by a small sweep of two seeds a setting. The schedule ends at STEPS: to train
longer change STEPS, not --steps.

Measured: not yet.
"""

import dataclasses

from quickstart import experiment as base

from gan_jax.data import images
from gan_jax.networks import dcgan
from gan_jax.optimizers import Adam, Schedule

STEPS = 4000
to_zero = Schedule("linear", steps=STEPS)

experiment = dataclasses.replace(
    base,
    generator=dcgan.Generator(width=24),
    discriminator=dcgan.Discriminator(width=24, dropout=0.0, hidden=128, batch_norm=True),
    data=images.tfds("mnist"),
    generator_optimizer=Adam(2e-3, b1=0.5, schedule=to_zero),
    discriminator_optimizer=Adam(3e-3, b1=0.5, schedule=to_zero),
    steps=STEPS,
    evaluate_every=STEPS // 8,
    evaluate_samples=10_000,
)
