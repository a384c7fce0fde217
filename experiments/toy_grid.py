"""25 Gaussians on a grid, some of which a collapsing generator misses.

    gan-jax train experiments/toy_grid.py --seeds 0:16

Schedules end at STEPS: to train longer or shorter, change STEPS, not --steps. The pictures show
samples in black over data points in grey.

After Srivastava et al. (2017), section 4.1. Relativistic pairing with an R1 penalty whose weight
falls to a hundredth: it is strong at first, so that no mode is lost, and weak at the end, so that
modes are sharp. The recipe was found by small sweeps of two seeds, in which depth and learning rate
mattered most for sharp modes.

Measured at commit 3d2a88c with the command above on two x86 cores, with 10,000 samples per seed and
features nearest-mode a5115f027928. Python 3.12 with JAX 0.12.0.1 and Python 3.11 with JAX 0.10.1:
25 of 25 modes in 15 seeds and 24 in one, with both; as means with 95 % intervals over seeds,
fraction of good samples (`good_share`) 0.895 (0.883 to 0.907) and 0.905 (0.893 to 0.917; of
held-out points 0.990), with a standard deviation over seeds of 0.022 in both; class divergence
0.029 (0.016 to 0.042) and 0.020 (0.011 to 0.030).
"""

from gan_jax.data import points
from gan_jax.experiment import Experiment
from gan_jax.losses import RelativisticPairing
from gan_jax.networks import mlp
from gan_jax.optimizers import Adam, Schedule
from gan_jax.penalties import R1, Scheduled

STEPS = 5000
falling = Schedule("cosine", steps=int(0.7 * STEPS), end=0.01)
adam = Adam(
    4e-3,
    b1=0.0,
    b2=0.99,
    eps=1e-7,
    form="keras",
    schedule=Schedule("linear", steps=STEPS, hold=STEPS // 2),
)

experiment = Experiment(
    generator=mlp.Generator(width=64, depth=4),
    discriminator=mlp.Discriminator(width=64, depth=4),
    data=points.grid(),
    loss=RelativisticPairing(),
    penalties=(Scheduled(R1(gamma=0.3), falling),),
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    latent_size=2,
    batch_size=256,
    ema_decay=0.999,
    steps=STEPS,
    sample_every=1000,
    save_every=STEPS,
    evaluate_every=STEPS,
    evaluate_samples=10_000,
    best_metric="mode_count",
)
