"""Which loss needs which penalty? All combinations of both on 25 Gaussians.

    gan-jax sweep experiments/study_stability.py --seeds 0:8 --workdir runs/study
    gan-jax compare runs/study

All experiments have the networks and optimizers of toy_grid.py, fewer steps, and penalties of the
constant weights in PENALTIES. Networks and optimizers were found by sweeps with relativistic
pairing and R1, so that this combination has an advantage; nothing was tuned for any other.

Measured at commit fee028d with the first command (seeds 0 to 7, Python 3.12, JAX 0.12.0.1, two x86
cores with other work on them): 13 minutes. The figures are means over seeds, of 10,000 samples per
run at the end, with features nearest-mode a5115f027928; docs/study_points.csv has them with their
intervals. Modes found, of 25: without a penalty 7.4 to 13.6, and 0.9 with Wasserstein; with any of
the three penalties 24.4 to 25 with the non-saturating and hinge losses and relativistic pairing,
14.5 to 15.6 with least squares and 19.8 to 20.6 with Wasserstein. Fraction of good samples
(`good_share`): 0.44 to 0.61 without a penalty and 0.58 to 0.73 with one, none of them shown to
differ from the best (p at least 0.5); only with Wasserstein it is 0.04 and 0.06 to 0.10.
notebooks/03_what_helps.ipynb shows all of it.
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


def combined(experiment: Experiment, choices: dict) -> Iterator[tuple[str, Experiment]]:
    """Yields an experiment with every combination of a loss and a choice of penalties."""
    for loss_name, loss in LOSSES.items():
        for penalty_name, chosen in choices.items():
            changed = dataclasses.replace(experiment, loss=loss, penalties=chosen)
            yield f"{loss_name}-{penalty_name}", changed


def experiments() -> Iterator[tuple[str, Experiment]]:
    """Yields the names and experiments of the study."""
    return combined(common, PENALTIES)
