"""Features on which this package and torch-fidelity must agree, drawn from seeds."""

from typing import NamedTuple

import numpy as np

# Generator's shift and scale, number of features, and how far the mean is from zero.
CASES = {
    "near": (0.1, 1.0, 8, 0.0),
    "wide": (0.0, 1.7, 24, 3.0),
    "far": (2.0, 0.5, 16, 1.0),
}
COUNT = 300
CLASSES = 10
SUBSETS = [slice(0, 100), slice(100, 200), slice(0, 300)]


class Drawn(NamedTuple):
    """Float64 features [300, d] of both sides, and logits [300, 10] of the generated one."""

    generated: np.ndarray
    real: np.ndarray
    logits: np.ndarray


def draw_features(case: str) -> Drawn:
    """Gaussian features, correlated; PCG64 gives the same everywhere."""
    shift, scale, dimension, offset = CASES[case]
    random = np.random.Generator(np.random.PCG64(list(CASES).index(case)))
    mix = random.standard_normal((dimension, dimension)) / np.sqrt(dimension)
    real = random.standard_normal((COUNT, dimension)) @ mix + offset
    generated = random.standard_normal((COUNT, dimension)) * scale @ mix + offset + shift
    return Drawn(generated, real, 3 * random.standard_normal((COUNT, CLASSES)))
