"""Digits in a few minutes on a laptop, from the sample of MNIST that the package bundles.

    gan-jax train experiments/quickstart.py

Against the reference recipe, many cheap steps: batch 32, about half the width, no dropout. Fast
learning rates, with b1 = 0.5 for stability, fall linearly to 0, which settles the samples at the
end. The discriminator learns faster and is wider than the generator, since it sees parts of a
digit only and is what limits the samples. 16 numbers in a latent are an easier map than 100, and a
short moving average suits a short run.

Measured: not yet.
"""

import optax

from gan_jax.data import images
from gan_jax.experiment import Experiment
from gan_jax.networks import dcgan
from gan_jax.optimizers import Adam, from_optax

STEPS = 5500
to_zero = from_optax(optax.linear_schedule, init_value=1.0, end_value=0.0, transition_steps=STEPS)

experiment = Experiment(
    generator=dcgan.Generator(width=32),
    discriminator=dcgan.Discriminator(width=48, dropout=0.0),
    data=images.mnist_sample(),
    generator_optimizer=Adam(1e-3, b1=0.5, schedule=to_zero),
    discriminator_optimizer=Adam(1.5e-3, b1=0.5, schedule=to_zero),
    latent_size=16,
    batch_size=32,
    ema_decay=0.998,
    steps=STEPS,
)
