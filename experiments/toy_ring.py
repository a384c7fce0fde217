"""Eight Gaussians on a ring, the classic picture of mode collapse (Metz et al., 2017, section 3.1).

    gan-jax train experiments/toy_ring.py --seeds 0:8

Non-saturating loss with R1, two hidden layers of 128 units in both players, and Adam without
momentum.

Measured at commit 547b57c with seeds 0 to 7 in one program (Python 3.12, JAX 0.12.0.1, two x86
cores with other work on them): 1 min 17 s for all eight. By eye, the last picture of 1,024 samples
shows samples at all eight modes in each of the eight seeds, and some on the lines between
neighbouring modes. No score was computed.
"""

from gan_jax.data import points
from gan_jax.experiment import Experiment
from gan_jax.networks import mlp
from gan_jax.optimizers import Adam
from gan_jax.penalties import R1

experiment = Experiment(
    generator=mlp.Generator(),
    discriminator=mlp.Discriminator(),
    data=points.ring(),
    penalties=(R1(gamma=0.1),),
    generator_optimizer=Adam(1e-3, b1=0.0, b2=0.99, eps=1e-7, form="keras"),
    discriminator_optimizer=Adam(1e-3, b1=0.0, b2=0.99, eps=1e-7, form="keras"),
    latent_size=8,
    batch_size=256,
    ema_decay=0.999,
    steps=5000,
    sample_every=500,
    save_every=1000,
    evaluate_every=5000,
    evaluate_samples=10_000,
)
