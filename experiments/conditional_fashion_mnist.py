"""Class-conditional clothes: the recipe of `conditional_mnist_projection.py` on Fashion-MNIST.

    gan-jax train experiments/conditional_fashion_mnist.py
    gan-jax recognise runs/conditional_fashion_mnist

Not measured yet.
"""

import dataclasses

from conditional_mnist_projection import experiment as digits

from gan_jax.data import images

experiment = dataclasses.replace(
    digits,
    data=images.tfds("fashion_mnist", labels=True),
    features=None,  # the bundled network was trained on digits only
    evaluate_every=None,
)
