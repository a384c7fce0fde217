"""Digits in a few minutes on a laptop, from the sample of MNIST that the package bundles."""

from gan_jax.data import images
from gan_jax.experiment import Experiment
from gan_jax.networks import dcgan
from gan_jax.optimizers import Adam

experiment = Experiment(
    generator=dcgan.Generator(width=32),
    discriminator=dcgan.Discriminator(width=32),
    data=images.mnist_sample(),
    generator_optimizer=Adam(2e-4, b1=0.5),
    discriminator_optimizer=Adam(2e-4, b1=0.5),
    batch_size=64,
    ema_decay=0.999,
    steps=2000,
)
