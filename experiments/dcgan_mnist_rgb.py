"""The reference recipe with three channels, each of which has the same grey digit.

    gan-jax train experiments/dcgan_mnist_rgb.py

Not measured yet.
"""

import dataclasses

from dcgan_mnist import experiment as reference

from gan_jax.data import images
from gan_jax.networks import dcgan

experiment = dataclasses.replace(
    reference,
    generator=dcgan.Generator(image_channels=3),
    data=images.tfds("mnist", channels=3),
    features=None,  # the reference's feature network takes only grey digits
)
