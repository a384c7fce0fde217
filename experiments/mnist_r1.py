"""R1 at every fourth step instead of BatchNorm in the discriminator (Mescheder et al., 2018).

    gan-jax train experiments/mnist_r1.py

Lazy as in Karras et al. (2020b); else the quickstart.

Measured: not yet.
"""

import dataclasses

from quickstart import experiment as base

from gan_jax.networks import dcgan
from gan_jax.penalties import R1, Lazy

experiment = dataclasses.replace(
    base,
    discriminator=dcgan.Discriminator(width=32, dropout=0.0, hidden=128),
    penalties=(Lazy(R1(gamma=1.0), every=4),),
)
