"""MNIST with 100 labels: a classifier that also learns from images without one.

    gan-jax train experiments/mnist_few_labels.py --seeds 0:5

Salimans et al. (2016): the discriminator is a classifier of ten classes, which learns from 100
labels, ten of each digit, and from real and generated images without labels. The generator matches
the mean of its features. Networks, losses and learning rate are those of the authors' code, whose
epsilon of 1e-8, inside the square root, is about 1e-4 outside it. It takes an eighteenth of their
steps, with a rate that falls to 0 over the last two thirds; they test a moving average of the
discriminator, which has 0.93 % wrong. `--data.per-class 2` is 20 labels, and `--data.choice` seeds
which images keep theirs. `test_error` is over all 10,000 test images.

Not measured yet.
"""

from gan_jax.data import images
from gan_jax.data.few_labels import few_labels
from gan_jax.experiment import Experiment
from gan_jax.losses import SemiSupervised
from gan_jax.networks import semi_supervised
from gan_jax.optimizers import Adam, Schedule

STEPS = 10_000
adam = Adam(3e-3, b1=0.5, eps=1e-4, schedule=Schedule("linear", steps=STEPS, hold=STEPS // 3))

experiment = Experiment(
    generator=semi_supervised.Generator(),
    discriminator=semi_supervised.Discriminator(),
    data=few_labels(images.tfds("mnist"), per_class=10),
    loss=SemiSupervised(),
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    update_order="alternating",
    latent_size=100,
    latent_distribution="uniform",
    batch_size=200,
    steps=STEPS,
    log_every=100,
    sample_every=2500,
    save_every=2500,
    evaluate_every=2500,
)
