"""R3GAN, a modern baseline, on CIFAR-10 with the authors' recipe; needs GPUs.

    gan-jax train experiments/r3gan_cifar10.py

Huang et al. (2024): networks without normalisation, relativistic pairing with R1 and R2, Adam
without momentum, the augmentations of ADA; and five schedules, each half a cosine over the first
20 million images. The numbers are those of the authors' `train.py` with `--preset=CIFAR10 --cond=1
--aug=1 --mirror=1 --batch=512`, and the length that of their table 9, 250 million images.

`benchmarks/parity_r3gan.py` compares networks, losses, updates, augmentations and schedules with
the authors' code. What differs: scores here are against the data with their mirror images; their
lowest resolution computes in float32 and their penalties in bfloat16, here it is the other way
round; and their schedules end within step 39,063, here before it.

Not measured yet: it needs several GPUs (compiled for a CPU, --dry-run says, a step takes 357 GiB),
and was only run in a smaller form. The authors trained for four days on eight NVIDIA L40, and
report a Frechet Inception distance of 1.96.
"""

import math

from gan_jax.augmentation import GeometryAndColour
from gan_jax.data import images
from gan_jax.experiment import Experiment, half_life
from gan_jax.losses import RelativisticPairing
from gan_jax.networks import r3gan
from gan_jax.optimizers import Adam, Schedule
from gan_jax.penalties import R1, R2, Scheduled

CLASSES, BATCH = 10, 512
STEPS = math.ceil(250_000_000 / BATCH)
NETWORK = {"widths": (768, 768, 768, 768), "blocks": 2, "group": 16, "classes": CLASSES}


def between(start: float, end: float) -> Schedule:
    """Returns the schedule of a number that changes over the first 20 million images."""
    return Schedule("cosine", steps=20_000_000 // BATCH, start=start, end=end)


adam = Adam(2e-4, b1=0.0, b2=between(0.9, 0.99), eps=1e-8, schedule=between(1.0, 0.25))
falling = between(1.0, 0.1)

experiment = Experiment(
    generator=r3gan.Generator(**NETWORK),
    discriminator=r3gan.Discriminator(**NETWORK, embedding=768),
    data=images.mirrored(images.tfds("cifar10", size=32, channels=3, labels=True)),
    loss=RelativisticPairing(),
    penalties=(Scheduled(R1(gamma=0.05), falling), Scheduled(R2(gamma=0.05), falling)),
    augmentations=(GeometryAndColour(between(0.0, 0.55), colour=0.5, cutout=1.0),),
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    latent_size=64,
    batch_size=BATCH,
    update_order="alternating",
    generator_batch="fresh",
    ema_decay=half_life(5_000_000, BATCH),
    ema_schedule=between(0.0, 1.0),
    compute_dtype="bfloat16",
    steps=STEPS,
    sample_every=5000,
    save_every=5000,
)
