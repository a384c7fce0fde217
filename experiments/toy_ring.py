"""Eight Gaussians on a ring, the classic picture of mode collapse (Metz et al., 2017, section 3.1).

    gan-jax train experiments/toy_ring.py --seeds 0:8

Measured: TODO
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
    generator_optimizer=Adam(1e-3, b1=0.0, b2=0.99),
    discriminator_optimizer=Adam(1e-3, b1=0.0, b2=0.99),
    latent_size=8,
    batch_size=256,
    ema_decay=0.999,
    steps=5000,
    sample_every=500,
    save_every=1000,
)
