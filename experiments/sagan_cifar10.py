"""SAGAN on CIFAR-10, with self-attention and two learning rates, in bfloat16; needs a GPU.

    gan-jax train experiments/sagan_cifar10.py

Zhang et al. (2019) at 32 x 32: self-attention on maps of 16 x 16, spectral normalisation of both
players, learning rates of 1e-4 (generator) and 4e-4 (discriminator), and one discriminator step.
Networks and latents are those of sngan_cifar10.py.

Not measured yet: it needs a GPU, and was only run in a smaller form.
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
