"""Least squares instead of cross-entropy (Mao et al., 2017), else the quickstart.

    gan-jax train experiments/mnist_lsgan.py

Measured: not yet.
"""

import dataclasses

from quickstart import experiment as base

from gan_jax.losses import LeastSquares

experiment = dataclasses.replace(base, loss=LeastSquares())
