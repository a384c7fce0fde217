"""Remedies for few data, all at once: adaptive augmentation, LeCam, balanced consistency, noise.

    gan-jax train experiments/mnist_augmented.py

Karras et al. (2020a), Tseng et al. (2021), Zhao, Singh, et al. (2021), Sonderby et al. (2017); the
augmentations are those of Zhao et al. (2020) without their cutout. Else the quickstart.

Measured: not yet.
"""

import dataclasses

from quickstart import STEPS
from quickstart import experiment as base

from gan_jax.augmentation import Adaptive, DiffAugment, InstanceNoise
from gan_jax.penalties import Consistency, LeCam

mild = DiffAugment(cutout=0.0)

experiment = dataclasses.replace(
    base,
    augmentations=(Adaptive(mild, images=50_000), InstanceNoise(0.1, steps=STEPS // 2)),
    penalties=(LeCam(0.1), Consistency(mild, real=1.0, fake=1.0)),
)
