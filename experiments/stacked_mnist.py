"""Stacked MNIST: three digits in the channels of one image, 1,000 modes (Metz et al., 2017, 3.3.1).

    gan-jax train experiments/stacked_mnist.py

Relativistic pairing with R1 and R2 (Sun, Fang, Schwing, 2020; Huang et al., 2024). The metric
`mode_count` is the number of the 1,000 combinations that the bundled classifier sees in the
samples.

Measured with --seeds 0:2 (commit 349b79e with these STEPS, Python 3.12, JAX 0.12.0.1, two x86
cores; 95 minutes for both according to `seconds.json`, during two thirds of which they were paused
or tests ran beside them): all 1,000 modes in 10,000 samples of either seed, with features
stacked_mnist:combinations caea0e9d. The classifier score is half that of real images (ratio 0.490
and 0.477, to 910.7 for triples of held-out digits): many digits are doubtful. With 10,000 STEPS it
is a third, with 999 and 991 modes (commit b41c291), and there are 995, 997 and 1,000 modes with
--seeds 0:3 on one NVIDIA H200 (commit 80dca5f, JAX 0.11.2). On two x86 cores the steps of one seed
alone take 19 minutes (`benchmarks/recipes.py`, commit ba85daa).
"""

import numpy as np

from gan_jax import features
from gan_jax.data import images
from gan_jax.experiment import Experiment
from gan_jax.losses import RelativisticPairing
from gan_jax.networks import dcgan
from gan_jax.optimizers import Adam, Schedule
from gan_jax.penalties import R1, R2


def combinations(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features of the three digits side by side, and the probability of each combination."""
    digits = [
        features.mnist().extract(np.ascontiguousarray(pixels[..., i, None])) for i in range(3)
    ]
    first, second, third = (digit.probabilities for digit in digits)
    joint = np.einsum("ba,bc,bd->bacd", first, second, third)
    together = np.concatenate([digit.features for digit in digits], axis=1)
    return together, joint.reshape(len(pixels), -1)


STEPS = 30_000
adam = Adam(1e-3, b1=0.5, eps=1e-7, form="keras", schedule=Schedule("linear", steps=STEPS))

experiment = Experiment(
    generator=dcgan.Generator(width=32, image_channels=3),
    discriminator=dcgan.Discriminator(width=32, dropout=0.0, hidden=128),
    data=images.stacked(images.mnist_sample()),
    loss=RelativisticPairing(),
    penalties=(R1(gamma=1.0), R2(gamma=1.0)),
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    latent_size=32,
    batch_size=32,
    ema_decay=0.998,
    steps=STEPS,
    features=features.function(combinations),
    evaluate_every=STEPS,
    evaluate_samples=10_000,
)
