"""Which loss needs which penalty? Losses times penalties on 25 Gaussians.

    gan-jax sweep experiments/study_stability.py --seeds 0:8 --workdir runs/study
    gan-jax compare runs/study

All with the networks, optimizers and length of toy_grid.py, and none tuned for its own sake.

Measured: not yet.
"""

import dataclasses
from collections.abc import Iterator

from toy_grid import experiment as base

from gan_jax import losses, penalties
from gan_jax.experiment import Experiment

LOSSES = {
    "non_saturating": losses.NonSaturating(),
    "minimax": losses.Minimax(),
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
    "dragan": (penalties.Dragan(1.0),),
}


def experiments() -> Iterator[tuple[str, Experiment]]:
    """Yields every combination with its name."""
    for loss_name, loss in LOSSES.items():
        for penalty_name, penalty in PENALTIES.items():
            changed = dataclasses.replace(base, loss=loss, penalties=penalty)
            yield f"{loss_name}-{penalty_name}", changed
