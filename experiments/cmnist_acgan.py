"""Digits by their label: the discriminator tells the class, too (Odena et al., 2017).

    gan-jax train experiments/cmnist_acgan.py
    gan-jax sample runs/cmnist_acgan --label 7

Else as in cmnist_projection.py.

Measured: not yet.
"""

import dataclasses

from cmnist_projection import experiment as base

from gan_jax.losses import AuxiliaryClassifier

experiment = dataclasses.replace(
    base,
    discriminator=base.discriminator.clone(condition_by="classifier"),
    loss=AuxiliaryClassifier(base.loss),
)
