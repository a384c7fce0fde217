"""Digits by their label: conditional BatchNorm against a projection discriminator.

    gan-jax train experiments/cmnist_projection.py
    gan-jax sample runs/cmnist_projection --label 7

Miyato and Koyama (2018): residual networks, hinge loss, spectral normalisation in the
discriminator; the generator learns from the better three quarters of its fakes (Sinha et al.,
2020). Small enough for a CPU.

Measured: not yet.
"""

from gan_jax.data import images
from gan_jax.experiment import Experiment
from gan_jax.losses import Hinge, TopK
from gan_jax.metrics import features
from gan_jax.networks import resnet
from gan_jax.optimizers import Adam, Schedule

STEPS = 4000
adam = Adam(4e-4, b1=0.0, b2=0.9, schedule=Schedule("linear", steps=STEPS, hold=STEPS // 2))

experiment = Experiment(
    generator=resnet.Generator(width=32, image_size=28, image_channels=1, classes=10),
    discriminator=resnet.Discriminator(width=32, classes=10),
    data=images.mnist_sample(labels=True),
    loss=TopK(Hinge(), share=0.75),
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    latent_size=32,
    batch_size=32,
    ema_decay=0.998,
    steps=STEPS,
    features=features.mnist(),
    evaluate_every=1000,
)
