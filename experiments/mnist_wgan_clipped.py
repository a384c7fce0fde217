"""The original Wasserstein GAN, with clipped weights (Arjovsky et al., 2017).

    gan-jax train experiments/mnist_wgan_clipped.py

As in the paper: RMSprop with a learning rate of 5e-5, weights clipped to [-0.01, 0.01], and five
critic steps per generator step. As in the authors' PyTorch code, RMSprop adds its epsilon to the
root and not under it. The networks are those of the quickstart, without BatchNorm in the critic.

Measured at commit 80dca5f with --seeds 0:4 --evaluate-samples 10000 (Python 3.12, JAX 0.11.2, one
NVIDIA H200): Frechet distance 9.73 (8.74 to 10.7), classifier score ratio 0.404 (0.385 to 0.423),
all ten classes. These are means with 95 % intervals over seeds, with features mnist-cnn
69b1b8f3e3a0, against the 10,000 training images (the ratio: against the 10,000 test images). The
quickstart has 0.722 and 0.875 (see its docstring). The distance was still falling (11.1 after 1,500
of the 2,000 steps). On two x86 cores the steps of one seed take 2.6 minutes
(`benchmarks/recipes.py`, commit ba85daa).
"""

import dataclasses

import optax
from quickstart import experiment as base

from gan_jax.losses import Wasserstein
from gan_jax.networks import dcgan
from gan_jax.optimizers import clip_weights, from_optax

rmsprop = from_optax(optax.rmsprop, learning_rate=5e-5, decay=0.99, eps_in_sqrt=False)

experiment = dataclasses.replace(
    base,
    discriminator=dcgan.Discriminator(width=32, dropout=0.0, hidden=128),
    loss=Wasserstein(),
    generator_optimizer=rmsprop,
    discriminator_optimizer=from_optax(optax.chain, rmsprop, from_optax(clip_weights, 0.01)),
    update_order="alternating",
    discriminator_steps=5,
    steps=2000,
)
