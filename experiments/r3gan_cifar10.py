"""R3GAN, a modern baseline, on CIFAR-10; needs a GPU.

    gan-jax train experiments/r3gan_cifar10.py

Huang et al. (2024): networks without normalisation, relativistic pairing with R1 and R2 whose
weights fall over the run, Adam without momentum, and a moving average whose half-life is given in
images. It differs from the paper in that it has fewer parameters, an augmentation that does not
change over the run, a learning rate that starts at theirs and falls to 0, a constant b2, a
half-life of 500,000 images, and 51 million images in all.

Not measured yet: it needs a GPU, and was only run in a smaller form.
"""

from gan_jax.augmentation import DiffAugment
from gan_jax.data import images
from gan_jax.experiment import Experiment, half_life
from gan_jax.losses import RelativisticPairing
from gan_jax.networks import r3gan
from gan_jax.optimizers import Adam, Schedule
from gan_jax.penalties import R1, R2, Scheduled

STEPS, BATCH = 200_000, 256
NETWORK = {"widths": (512, 512, 256, 256), "blocks": 2, "group": 32}

falling = Schedule("cosine", steps=STEPS, end=0.1)
adam = Adam(
    2e-4,
    b1=0.0,
    b2=0.99,
    eps=1e-7,
    form="keras",
    schedule=Schedule("cosine", steps=STEPS, warm_up=1000),
)

experiment = Experiment(
    generator=r3gan.Generator(**NETWORK),
    discriminator=r3gan.Discriminator(**NETWORK),
    data=images.tfds("cifar10", size=32, channels=3),
    loss=RelativisticPairing(),
    penalties=(Scheduled(R1(gamma=0.05), falling), Scheduled(R2(gamma=0.05), falling)),
    augmentations=(DiffAugment(cutout=0.0),),
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    latent_size=64,
    batch_size=BATCH,
    ema_decay=half_life(500_000, BATCH),
    compute_dtype="bfloat16",
    steps=STEPS,
    sample_every=5000,
    save_every=5000,
)
