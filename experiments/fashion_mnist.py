"""The reference recipe on Fashion-MNIST, 60,000 images of clothes.

    gan-jax train experiments/fashion_mnist.py

Not measured yet.
"""

import dataclasses

from dcgan_mnist import experiment as reference

from gan_jax.data import images

# The reference's feature network was trained on digits only.
experiment = dataclasses.replace(reference, data=images.tfds("fashion_mnist"), features=None)
