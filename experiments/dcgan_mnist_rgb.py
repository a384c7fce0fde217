"""The reference recipe in its 3-channel form, the grey digit in each channel.

    gan-jax train experiments/dcgan_mnist_rgb.py

Measured: not yet.
"""

import dataclasses

from dcgan_mnist import experiment as reference

from gan_jax.data import images
from gan_jax.networks import dcgan

experiment = dataclasses.replace(
    reference,
    generator=dcgan.Generator(image_channels=3),
    data=images.tfds("mnist", channels=3),
    features=None,  # the reference's network takes grey digits only
)
