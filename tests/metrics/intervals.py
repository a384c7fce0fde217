"""How often the intervals of a metric hold the truth."""

from collections.abc import Callable

import numpy as np

from gan_jax.metrics.estimate import Estimate


def share_covering(
    truth: float, estimate: Callable[[np.random.Generator], Estimate], repeats: int = 200
) -> float:
    """Share of intervals, each of samples drawn anew, that hold the truth."""
    random = np.random.default_rng(0)
    estimates = [estimate(random) for _ in range(repeats)]
    return sum(one.low <= truth <= one.high for one in estimates) / repeats
