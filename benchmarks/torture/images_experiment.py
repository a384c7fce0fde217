"""A DCGAN of width 2 on 8 x 8 digits: a run that takes image files."""

from gan_jax.data import images
from gan_jax.experiment import Experiment
from gan_jax.networks import dcgan

experiment = Experiment(
    generator=dcgan.Generator(width=2, image_size=8),
    discriminator=dcgan.Discriminator(width=2),
    data=images.mnist_sample(split="test", size=8),
    latent_size=4,
    batch_size=16,
    steps=8,
)
