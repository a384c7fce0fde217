"""A gradient penalty around the data (Kodali et al., 2017), with relativistic average judgements.

    gan-jax train experiments/mnist_dragan.py

Loss of Jolicoeur-Martineau (2019); weight 10 as in both papers; else the quickstart without
BatchNorm in the discriminator.

Measured: not yet.
"""

import dataclasses

from quickstart import experiment as base

from gan_jax.losses import RelativisticAverage
from gan_jax.networks import dcgan
from gan_jax.penalties import Dragan

experiment = dataclasses.replace(
    base,
    discriminator=dcgan.Discriminator(width=32, dropout=0.0, hidden=128),
    loss=RelativisticAverage(),
    penalties=(Dragan(10.0),),
)
