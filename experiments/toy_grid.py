"""25 Gaussians on a grid, some of which a collapsing generator misses.

    gan-jax train experiments/toy_grid.py --seeds 0:8

Schedules end at STEPS: to train longer or shorter, change STEPS, not --steps. The pictures show
samples in black over data points in grey.

After Srivastava et al. (2017), section 4.1. Relativistic pairing with an R1 penalty whose weight
falls to a hundredth: it is strong at first, so that no mode is lost, and weak at the end, so that
modes are sharp. The recipe was found by small sweeps of two seeds, in which depth and learning rate
mattered most for sharp modes.

Measured at commit 80dca5f with the command above, seeds 0 to 7 in one program (Python 3.12, JAX
0.12.0.1, two x86 cores): 46 s for all eight, including start and evaluation. With 10,000 samples
per seed and features nearest-mode a5115f027928: 25 of 25 modes in seven seeds and 24 in one; as
means with 95 % intervals over seeds, fraction of good samples (`good_share`) 0.909 (0.902 to 0.917;
of held-out points 0.990) and class divergence 0.026 (0.007 to 0.046).
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
