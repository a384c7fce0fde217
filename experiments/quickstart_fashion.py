"""Clothes by the recipe of `quickstart.py`, from scratch or from the parameters of digits.

    gan-jax train experiments/quickstart_fashion.py --seeds 0:3
    gan-jax train experiments/quickstart_fashion.py --seeds 0:3 --workdir runs/next --init-from RUN
    gan-jax features fashion_mnist --out fashion.npz
    gan-jax evaluate runs/quickstart_fashion --features fashion.npz --step 500
    gan-jax evaluate runs/next --features fashion.npz --step 500

RUN is a run of `quickstart.py`. This recipe takes half as many steps, and keeps all checkpoints, so
that `gan-jax evaluate --step` tells how many steps the digits save.

Not measured yet.
"""

import dataclasses

from quickstart import experiment as digits

from gan_jax.data import images
from gan_jax.optimizers import Schedule

STEPS = 3000
to_zero = Schedule("linear", steps=STEPS)

experiment = dataclasses.replace(
    digits,
    data=images.tfds("fashion_mnist"),
    generator_optimizer=dataclasses.replace(digits.generator_optimizer, schedule=to_zero),
    discriminator_optimizer=dataclasses.replace(digits.discriminator_optimizer, schedule=to_zero),
    steps=STEPS,
    features=None,  # the bundled network was trained on digits only
    evaluate_every=None,
    save_every=250,
    keep_checkpoints=STEPS // 250,
)
