"""25 Gaussians on a grid, of which a generator that collapses leaves out some.

    gan-jax train experiments/toy_grid.py --seeds 0:8

After Srivastava et al. (2017), section 4.1.

Measured: not yet.
"""

from gan_jax.data import points
from gan_jax.experiment import Experiment
from gan_jax.losses import RelativisticPairing
from gan_jax.networks import mlp
from gan_jax.optimizers import Adam, Schedule
from gan_jax.penalties import R1, R2

STEPS = 6000
to_zero = Schedule("linear", steps=STEPS, hold=STEPS // 2)

experiment = Experiment(
    generator=mlp.Generator(),
    discriminator=mlp.Discriminator(),
    data=points.grid(),
    loss=RelativisticPairing(),
    penalties=(R1(gamma=0.1), R2(gamma=0.1)),
    generator_optimizer=Adam(1e-3, b1=0.0, b2=0.99, schedule=to_zero),
    discriminator_optimizer=Adam(1e-3, b1=0.0, b2=0.99, schedule=to_zero),
    latent_size=2,
    batch_size=256,
    ema_decay=0.999,
    steps=STEPS,
    sample_every=1000,
    save_every=3000,
    evaluate_every=3000,
    evaluate_samples=10_000,
    best_metric="mode_count",
)
