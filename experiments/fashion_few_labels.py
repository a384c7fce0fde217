"""Fashion-MNIST with 100 labels: a classifier that also learns from images without one.

    gan-jax train experiments/fashion_few_labels.py --seeds 0:5
    gan-jax features fashion_mnist --out fashion.npz
    gan-jax evaluate runs/fashion_few_labels --features fashion.npz

The recipe of `mnist_few_labels.py` (Salimans et al., 2016) on 60,000 images of clothing, ten of
each class with a label.

Not measured yet.
"""

import dataclasses

from mnist_few_labels import experiment as digits

from gan_jax.data import images
from gan_jax.data.few_labels import few_labels

experiment = dataclasses.replace(
    digits,
    data=few_labels(images.tfds("fashion_mnist"), per_class=10),
    evaluate_every=None,  # as no feature network is bundled for clothes
)
