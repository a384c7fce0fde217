"""Digits by their label from 50 of each, to see what samples add where there are few examples.

    gan-jax train experiments/few_digits.py
    gan-jax sweep experiments/few_digits.py --seeds 0:1 --grid data.source.choice=0,1,2,3,4
    gan-jax recognise runs/few_digits_sweep --per-class 50

The recipe of `conditional_mnist_concatenation.py` for a third of its steps, on 50 of each digit
from the bundled sample of MNIST, and nothing else: classifiers that learn from the same digits can
be compared with it. `--data.source.per-class` sets how many of each, and `--data.source.choice`
seeds which they are.

Not measured yet.
"""

import dataclasses

from conditional_mnist_concatenation import experiment as digits

from gan_jax.data import images
from gan_jax.optimizers import Schedule

STEPS = 2000
to_zero = Schedule("linear", steps=STEPS)

experiment = dataclasses.replace(
    digits,
    data=images.subset(digits.data, per_class=50),
    generator_optimizer=dataclasses.replace(digits.generator_optimizer, schedule=to_zero),
    discriminator_optimizer=dataclasses.replace(digits.discriminator_optimizer, schedule=to_zero),
    steps=STEPS,
    evaluate_every=STEPS,
)
