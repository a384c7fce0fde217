"""Which loss needs which penalty? Losses times penalties on digits, with narrow networks.

    gan-jax sweep experiments/study_mnist.py --seeds 0:4 --workdir runs/study_mnist
    gan-jax compare runs/study_mnist

The quickstart at a quarter of its width and a third of its steps, without BatchNorm in the
discriminator, which penalties on single examples rule out. Nothing is tuned for a combination's own
sake: the quickstart's learning rates are high, chosen for one with BatchNorm.

Measured: not yet.
"""

import dataclasses
from collections.abc import Iterator

from quickstart import experiment as base
from study_stability import LOSSES

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
    """Yields every combination with its name."""
    for loss_name, loss in LOSSES.items():
        for penalty_name, penalty in PENALTIES.items():
            changed = dataclasses.replace(common, loss=loss, penalties=penalty)
            yield f"{loss_name}-{penalty_name}", changed
