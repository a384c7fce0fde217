"""Kernel distance: squared maximum mean discrepancy with the cubic polynomial kernel."""

import math

import numpy as np
from jaxtyping import Float, Float64

from gan_jax.common.errors import RequestError
from gan_jax.metrics.estimate import Estimate, from_standard_error
from gan_jax.metrics.inputs import check_dimensions, check_features

FEWEST = 4  # samples of each set, so that half of them contain a pair


def kernel_distance(
    generated: Float[np.ndarray, "n d"],
    real: Float[np.ndarray, "m d"],
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Mean of the unbiased squared discrepancy over random subsets of both sets.

    Binkowski et al. (2018), section 4. It is unbiased for every number of samples, and may be
    negative if the distributions are equal.

    The subsets overlap, so that the spread between them alone underestimates that of other samples.
    If v is the variance between subsets, each of which is a fraction f of the samples, the variance
    of the mean is v (f / (1 - f) + 1 / subsets): the first term undoes the finite-population
    correction (Cochran, 1977), the second is left from drawing finitely many subsets. Where the
    distributions are equal, the variance falls with the square of the number of samples, which the
    first term does not know: there the interval is up to 2.6 times as wide as it should be.

    Args:
        generated: features of generated samples.
        real: features of real samples.
        subsets: number of subsets, at least 2.
        subset_size: samples in each subset, at least 2; at most half of the smaller set is used,
            since subsets of all samples would not differ.
        seed: seed of the random subsets.

    Raises:
        RequestError: the features are not finite, differ in dimension, or are fewer than `FEWEST`;
            `subsets` or `subset_size` is below 2.
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
    fraction = size / smaller
    variance = values.var(ddof=1) * (fraction / (1 - fraction) + 1 / subsets)
    return from_standard_error(values.mean(), math.sqrt(variance))


def squared_discrepancy(
    first: Float64[np.ndarray, "n d"], second: Float64[np.ndarray, "m d"]
) -> float:
    """Unbiased estimate of the squared maximum mean discrepancy with the kernel (x'y / d + 1)^3.

    Gretton et al. (2012), equation 3; the kernel is that of Binkowski et al. (2018). It is computed
    in the dtype of the arguments.
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
