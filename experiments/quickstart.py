"""Digits in a few minutes on a laptop, from the sample of MNIST that the package bundles.

    gan-jax train experiments/quickstart.py

Against the reference recipe, many cheap steps: half the width, batch 32 and no dropout. Fast
learning rates, the discriminator's twice the generator's, with b1 = 0.5 for stability; they fall
linearly to 0, which sharpens the samples at the end, as the short moving average does. Fewer
latent numbers make an easier map.

Measured: not yet.
"""

import optax

from gan_jax.data import images
from gan_jax.experiment import Experiment
from gan_jax.networks import dcgan
from gan_jax.optimizers import Adam, from_optax

STEPS = 6000
to_zero = from_optax(optax.linear_schedule, init_value=1.0, end_value=0.0, transition_steps=STEPS)

experiment = Experiment(
    generator=dcgan.Generator(width=32),
    discriminator=dcgan.Discriminator(width=32, dropout=0.0),
    data=images.mnist_sample(),
    generator_optimizer=Adam(5e-4, b1=0.5, schedule=to_zero),
    discriminator_optimizer=Adam(1e-3, b1=0.5, schedule=to_zero),
    latent_size=64,
    batch_size=32,
    ema_decay=0.998,
    steps=STEPS,
)
