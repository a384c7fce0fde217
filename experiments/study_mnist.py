"""Which loss needs which penalty? All combinations of both on digits, with narrow networks.

    gan-jax sweep experiments/study_mnist.py --seeds 0:4 --workdir runs/study_mnist
    gan-jax compare runs/study_mnist

The quickstart at a quarter of its width and a third of its steps, without BatchNorm in the
discriminator, which penalties on single examples rule out. Nothing is tuned for any combination:
the quickstart's learning rates are high, having been chosen for a discriminator with BatchNorm.

Measured at commit fee028d with the first command (seeds 0 to 3, Python 3.12, JAX 0.12.0.1, two x86
cores with other work on them): 36 minutes. The figures are means over seeds, of 2,000 samples per
run at the end, with features mnist-cnn 69b1b8f3e3a0; docs/study_mnist.csv has them with their
intervals. The Frechet distance is 6.1 (4.6 to 7.5) for relativistic pairing with R1 and R2, 12.5
(9.5 to 15.6) for Wasserstein without a penalty, and 6.3 to 9.0 for the others; none is shown to
differ from the best. The score ratio of Wasserstein without a penalty is worse than the best (0.34
against 0.60, p = 0.02), and so are the class divergences of the non-saturating and the
least-squares loss without a penalty (p = 0.02 and 0.01), and of the latter with a gradient penalty
(p = 0.05). All runs show all ten classes, except for one seed of Wasserstein without a penalty.
"""

import dataclasses
from collections.abc import Iterator

from quickstart import experiment as base
from study_stability import combined

from gan_jax import penalties
from gan_jax.experiment import Experiment
from gan_jax.networks import dcgan
from gan_jax.optimizers import Schedule

STEPS = 2000
to_zero = Schedule("linear", steps=STEPS)
common = dataclasses.replace(
    base,
    generator=dcgan.Generator(width=8),
    discriminator=dcgan.Discriminator(width=8, dropout=0.0, hidden=32),
    generator_optimizer=dataclasses.replace(base.generator_optimizer, schedule=to_zero),
    discriminator_optimizer=dataclasses.replace(base.discriminator_optimizer, schedule=to_zero),
    steps=STEPS,
    save_every=STEPS,
    evaluate_every=STEPS,
)

PENALTIES = {
    "none": (),
    "r1": (penalties.R1(1.0),),
    "r1_r2": (penalties.R1(1.0), penalties.R2(1.0)),
    "gradient_penalty": (penalties.GradientPenalty(10.0),),
}


def experiments() -> Iterator[tuple[str, Experiment]]:
    """Yields the names and experiments of the study."""
    return combined(common, PENALTIES)
