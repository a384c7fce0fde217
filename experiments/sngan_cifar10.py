"""SNGAN on CIFAR-10 with the recipe of the mimicry library; needs a GPU.

    gan-jax train experiments/sngan_cifar10.py

Miyato et al. (2018): residual networks, hinge loss, Adam with a learning rate of 2e-4, no momentum
and b2 = 0.9, batches of 64, five discriminator steps per generator step, and learning rates that
fall linearly to 0 over 100,000 steps.

Not measured yet: it needs a GPU, and was only run in a smaller form.
"""

from gan_jax.data import images
from gan_jax.experiment import Experiment
from gan_jax.guard import Guard
from gan_jax.losses import Hinge
from gan_jax.networks import resnet
from gan_jax.optimizers import Adam, Schedule

STEPS, DISCRIMINATOR_STEPS = 100_000, 5


def adam(updates: int) -> Adam:
    """Returns the optimizer of a player that is updated this many times."""
    return Adam(
        2e-4, b1=0.0, b2=0.9, eps=1e-7, form="keras", schedule=Schedule("linear", steps=updates)
    )


experiment = Experiment(
    generator=resnet.Generator(),
    discriminator=resnet.Discriminator(),
    data=images.tfds("cifar10", size=32, channels=3),
    loss=Hinge(),
    generator_optimizer=adam(STEPS),
    discriminator_optimizer=adam(DISCRIMINATOR_STEPS * STEPS),
    latent_size=128,
    batch_size=64,
    update_order="alternating",
    discriminator_steps=DISCRIMINATOR_STEPS,
    guard=Guard(),
    steps=STEPS,
    sample_every=2500,
    save_every=2500,
)
