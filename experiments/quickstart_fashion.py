"""Clothes by the recipe of `quickstart.py`, from scratch or from the parameters of digits.

    gan-jax train experiments/quickstart_fashion.py
    gan-jax train experiments/quickstart_fashion.py --workdir runs/from_digits --init-from RUN

RUN is a run of `quickstart.py`. All checkpoints are kept, so that `gan-jax evaluate --step` can
tell how many steps digits save.

Not measured yet.
"""

import dataclasses

from quickstart import experiment as digits

from gan_jax.data import images

experiment = dataclasses.replace(
    digits,
    data=images.tfds("fashion_mnist"),
    features=None,  # the bundled network was trained on digits only
    evaluate_every=None,
    save_every=750,
    keep_checkpoints=8,
)
