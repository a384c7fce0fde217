"""The reference recipe on Fashion-MNIST: 60,000 pictures of clothes.

    gan-jax train experiments/fashion_mnist.py

Measured: not yet.
"""

import dataclasses

from dcgan_mnist import experiment as reference

from gan_jax.data import images

# The reference's feature network knows digits only.
experiment = dataclasses.replace(reference, data=images.tfds("fashion_mnist"), features=None)
