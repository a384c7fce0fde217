"""Digits by their label: it is appended to the latent and to the image (Mirza and Osindero, 2014).

    gan-jax train experiments/cmnist_concatenation.py
    gan-jax sample runs/cmnist_concatenation --label 7

Else the quickstart.

Measured: not yet.
"""

import dataclasses

from quickstart import experiment as base

from gan_jax.data import images
from gan_jax.networks import conditions

experiment = dataclasses.replace(
    base,
    generator=conditions.Generator(base.generator, classes=10),
    discriminator=conditions.Discriminator(base.discriminator, classes=10),
    data=images.mnist_sample(labels=True),
)
