"""Self-attention, spectral normalisation of both players, two time scales, bfloat16: for a GPU.

    gan-jax train experiments/sagan_cifar10.py

Zhang et al. (2019) at 32 x 32: attention on maps of 16 x 16, learning rates 1e-4 and 4e-4, one
discriminator step; networks and latents of sngan_cifar10.py.

Measured: not yet; it needs a GPU, and was run in shrunken form only.
"""

import dataclasses

from sngan_cifar10 import experiment as base

from gan_jax.optimizers import Adam

experiment = dataclasses.replace(
    base,
    generator=base.generator.clone(attention=True, spectral=True),
    discriminator=base.discriminator.clone(attention=True),
    generator_optimizer=Adam(1e-4, b1=0.0, b2=0.9, eps=1e-7, form="keras"),
    discriminator_optimizer=Adam(4e-4, b1=0.0, b2=0.9, eps=1e-7, form="keras"),
    discriminator_steps=1,
    compute_dtype="bfloat16",
)
