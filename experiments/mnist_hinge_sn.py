"""Hinge loss with a spectrally normalised discriminator (Miyato et al., 2018), else the quickstart.

    gan-jax train experiments/mnist_hinge_sn.py

Measured: not yet.
"""

import dataclasses

from quickstart import experiment as base

from gan_jax.losses import Hinge
from gan_jax.networks import dcgan

experiment = dataclasses.replace(
    base,
    discriminator=dcgan.Discriminator(width=32, dropout=0.0, hidden=128, spectral=True),
    loss=Hinge(),
)
