"""R3GAN at a size that trains on a CPU: digits of 16 x 16 pixels, from the bundled sample.

    gan-jax train experiments/r3gan_mnist.py

The recipe is that of `r3gan_cifar10.py`: its order of updates, loss, penalties, optimizers, moving
average and schedules, but over 3,000 steps, with higher learning rates and stronger penalties.
Networks and batches are smaller, and there are neither labels nor augmentations.

Not measured yet; by eye, the samples of one seed are digits after 2,000 steps.
"""

import dataclasses

from r3gan_cifar10 import experiment as base

from gan_jax.data import images
from gan_jax.experiment import half_life
from gan_jax.networks import r3gan
from gan_jax.optimizers import Adam, Schedule
from gan_jax.penalties import R1, R2, Scheduled

STEPS, BATCH = 3000, 32
NETWORK = {"widths": (64, 48, 32), "blocks": 1, "group": 16}


def between(start: float, end: float) -> Schedule:
    """Returns the schedule of a number that changes over the run."""
    return Schedule("cosine", steps=STEPS, start=start, end=end)


adam = Adam(1e-3, b1=0.0, b2=between(0.9, 0.99), schedule=between(1.0, 0.25))
falling = between(1.0, 0.1)

experiment = dataclasses.replace(
    base,
    generator=r3gan.Generator(**NETWORK, image_channels=1),
    discriminator=r3gan.Discriminator(**NETWORK),
    data=images.mnist_sample(size=16),
    penalties=(Scheduled(R1(gamma=1.0), falling), Scheduled(R2(gamma=1.0), falling)),
    augmentations=(),
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    latent_size=16,
    batch_size=BATCH,
    ema_decay=half_life(20_000, BATCH),
    ema_schedule=between(0.0, 1.0),
    compute_dtype="float32",
    steps=STEPS,
    sample_every=500,
    save_every=500,
)
