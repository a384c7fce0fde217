"""Kernel distance: squared maximum mean discrepancy with the cubic polynomial kernel."""

import math

import numpy as np
from jaxtyping import Float, Float64

from gan_jax.common.errors import RequestError
from gan_jax.metrics.estimate import Estimate, from_standard_error
from gan_jax.metrics.inputs import check_dimensions, check_features

FEWEST = 4  # samples of each set, so that half of them is a subset with a pair


def kernel_distance(
    generated: Float[np.ndarray, "n d"],
    real: Float[np.ndarray, "m d"],
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Mean, over random subsets of both sets, of the unbiased squared discrepancy.

    Binkowski et al. (2018), section 4. It is unbiased for every sample count, and negative at
    times where the distributions are equal.

    The subsets overlap, so that their spread alone says too little of how far other samples would
    lie. With the variance v between subsets that are a share f of the samples, the variance of the
    mean is v (f / (1 - f) + 1 / subsets): the finite-population correction (Cochran, 1977) undone,
    and the variance added that is left from drawing finitely many subsets.

    Args:
        generated: features of generated samples.
        real: features of real ones.
        subsets: number of subsets, at least 2.
        subset_size: samples in each subset, at least 2; half of the smaller set where that is
            less, since subsets that are all there is would not differ.
        seed: which random subsets.

    Raises:
        RequestError: features that are not finite, of different dimensions, or fewer than `FEWEST`.
    """
    generated = check_features("generated", generated, at_least=FEWEST).astype(np.float64)
    real = check_features("real", real, at_least=FEWEST).astype(np.float64)
    check_dimensions(generated=generated, real=real)
    for name, value in {"subsets": subsets, "subset_size": subset_size}.items():
        if value < 2:
            raise RequestError(f"{name} = {value}: must be at least 2")
    smaller = min(len(generated), len(real))
    size = min(subset_size, smaller // 2)
    random = np.random.default_rng(seed)
    values = np.empty(subsets)
    for position in range(subsets):
        first = generated[random.choice(len(generated), size, replace=False)]
        second = real[random.choice(len(real), size, replace=False)]
        values[position] = squared_discrepancy(first, second)
    share = size / smaller
    variance = values.var(ddof=1) * (share / (1 - share) + 1 / subsets)
    return from_standard_error(values.mean(), math.sqrt(variance))


def squared_discrepancy(
    first: Float64[np.ndarray, "n d"], second: Float64[np.ndarray, "m d"]
) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x'y / d + 1)^3.

    Gretton et al. (2012), equation 3; the kernel is that of Binkowski et al. (2018). It computes
    in the type of its arguments.
    """
    return _mean_of_pairs(first) + _mean_of_pairs(second) - 2 * float(_kernel(first, second).mean())


def _mean_of_pairs(features: np.ndarray) -> float:
    kernel, count = _kernel(features, features), len(features)
    return float(kernel.sum() - np.trace(kernel)) / (count * (count - 1))


def _kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    base = first @ second.T
    base /= first.shape[1]
    base += 1
    return base * base * base
