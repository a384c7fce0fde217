"""Which loss needs which penalty? Losses times penalties on 25 Gaussians.

    gan-jax sweep experiments/study_stability.py --seeds 0:8 --workdir runs/study
    gan-jax compare runs/study

All with the networks and optimizers of toy_grid.py, for fewer steps, with penalties of constant
weight; nothing is tuned for a combination's own sake.

Measured: not yet.
"""

import dataclasses
from collections.abc import Iterator

from toy_grid import experiment as base

from gan_jax import losses, penalties
from gan_jax.experiment import Experiment
from gan_jax.optimizers import Schedule

STEPS = 3000
adam = dataclasses.replace(
    base.generator_optimizer, schedule=Schedule("linear", steps=STEPS, hold=STEPS // 2)
)
common = dataclasses.replace(
    base,
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    steps=STEPS,
    save_every=STEPS,
    evaluate_every=STEPS,
)

LOSSES = {
    "non_saturating": losses.NonSaturating(),
    "least_squares": losses.LeastSquares(),
    "hinge": losses.Hinge(),
    "wasserstein": losses.Wasserstein(),
    "relativistic_pairing": losses.RelativisticPairing(),
}
PENALTIES = {
    "none": (),
    "r1": (penalties.R1(0.1),),
    "r1_r2": (penalties.R1(0.1), penalties.R2(0.1)),
    "gradient_penalty": (penalties.GradientPenalty(1.0),),
}


def experiments() -> Iterator[tuple[str, Experiment]]:
    """Yields every combination with its name."""
    for loss_name, loss in LOSSES.items():
        for penalty_name, penalty in PENALTIES.items():
            changed = dataclasses.replace(common, loss=loss, penalties=penalty)
            yield f"{loss_name}-{penalty_name}", changed
