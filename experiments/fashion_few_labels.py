"""Fashion-MNIST with 100 labels: a classifier that also learns from images without one.

    gan-jax train experiments/fashion_few_labels.py --seeds 0:5

The recipe of `mnist_few_labels.py` (Salimans et al., 2016) on 60,000 images of clothing, ten of
each class with a label. As no feature network is bundled for clothes, only `test_error` is
measured, over all 10,000 test images, and no best checkpoint is kept.

Not measured yet.
"""

import dataclasses

from mnist_few_labels import experiment as digits

from gan_jax.data import images
from gan_jax.data.few_labels import few_labels

experiment = dataclasses.replace(
    digits,
    data=few_labels(images.tfds("fashion_mnist"), per_class=10),
)
