"""What the compiled steps of an experiment take, without its data."""

from typing import Any

import jax
import numpy as np

from gan_jax import gan
from gan_jax.experiment import Experiment
from gan_jax.training.parallel_seeds import Plan, make_plan


def inputs(experiment: Experiment, steps: int) -> tuple[Plan, gan.GANState, tuple[Any, ...]]:
    """Returns the plan, the states and the other arguments of `run_steps`, for one seed.

    Examples and labels are zeros, which take as long as others.
    """
    plan = make_plan("map", 1, experiment.batch_size)
    states = plan.stack([jax.jit(gan.init, static_argnums=0)(experiment, np.uint32(0))])
    size, stored = experiment.examples_per_step, experiment.data.stored
    label = np.zeros(size, np.int32) if experiment.data.labels else None
    pool = {"sample": np.zeros((size, *stored.shape), stored.dtype), "label": label}
    positions = np.arange(size, dtype=np.int32)[None, None].repeat(steps, axis=1)
    return plan, states, (plan.hyperparameters([experiment]), pool, positions, steps)
