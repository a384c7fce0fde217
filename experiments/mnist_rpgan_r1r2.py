"""The modern baseline at a small size: relativistic pairing with R1 and R2 (Huang et al., 2024).

    gan-jax train experiments/mnist_rpgan_r1r2.py

Both penalties fall to a tenth over the run; else the quickstart without BatchNorm in the
discriminator.

Measured: not yet.
"""

import dataclasses

from quickstart import STEPS
from quickstart import experiment as base

from gan_jax.losses import RelativisticPairing
from gan_jax.networks import dcgan
from gan_jax.optimizers import Schedule
from gan_jax.penalties import R1, R2, Scheduled

falling = Schedule("cosine", steps=STEPS, end=0.1)

experiment = dataclasses.replace(
    base,
    discriminator=dcgan.Discriminator(width=32, dropout=0.0, hidden=128),
    loss=RelativisticPairing(),
    penalties=(Scheduled(R1(gamma=1.0), falling), Scheduled(R2(gamma=1.0), falling)),
)
