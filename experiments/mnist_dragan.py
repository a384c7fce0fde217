"""A gradient penalty around the data (Kodali et al., 2017), with relativistic average judgements.

    gan-jax train experiments/mnist_dragan.py

Loss of Jolicoeur-Martineau (2019); weight 10 as in both papers; else the quickstart without
BatchNorm in the discriminator.

Measured at commit 80dca5f with --seeds 0:4 --evaluate-samples 10000 (Python 3.12, JAX 0.11.2, one
NVIDIA H200): Frechet distance 1.58 (1.44 to 1.71), classifier score ratio 0.812 (0.807 to 0.817),
all ten classes; means with 95 % intervals over seeds, features mnist-cnn 69b1b8f3e3a0, against the
10,000 training images (the ratio: 2,000 samples against 2,000 held-out images). The quickstart has
0.785 and 0.876 (its docstring). On two x86 cores a seed has 3.5 minutes of steps
(`benchmarks/recipes.py`, commit ba85daa).
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
