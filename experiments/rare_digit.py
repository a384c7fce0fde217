"""Digits by their label where nines are rare, to see what samples add to a classifier.

    gan-jax train experiments/rare_digit.py --seeds 0:3
    gan-jax recognise runs/rare_digit --balance --classifiers 3 --classifier-steps 1000

The recipe of `quickstart.py` with labels, on 500 of each digit from the bundled sample of MNIST,
but 45 of the nines, 1 % of all. `--balance` compares filling a class up with samples with
oversampling and class weights.

Not measured yet.
"""

import dataclasses

from quickstart import experiment as digits

from gan_jax.data import images
from gan_jax.networks import conditions

experiment = dataclasses.replace(
    digits,
    generator=conditions.Generator(digits.generator, classes=10),
    discriminator=conditions.Discriminator(digits.discriminator, classes=10),
    data=images.subset(images.mnist_sample(labels=True), per_class=[500] * 9 + [45]),
)
