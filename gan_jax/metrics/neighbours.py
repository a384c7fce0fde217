"""Metrics of nearest neighbours: precision and recall, density and coverage, memorisation.

Distances are computed in float64 in blocks of rows, so that memory is O(n), not O(n^2).
"""

import functools
from collections.abc import Callable, Iterator

import numpy as np
import scipy  # which imports its parts when they are used
from jaxtyping import Float, Float64, Int

from gan_jax.common.errors import RequestError
from gan_jax.metrics.estimate import Estimate, of_proportion, spread_over_parts
from gan_jax.metrics.inputs import check_dimensions, check_features

BLOCK = 2**22  # distances in memory at a time
PARTS = 5  # into which samples are split for the intervals
PRECISION_K = 3  # Kynkaanniemi et al. (2019), section 3
DENSITY_K = 5  # Naeem et al. (2020), section 4


def precision_recall(
    generated: Float[np.ndarray, "n d"], real: Float[np.ndarray, "m d"], k: int = PRECISION_K
) -> tuple[Estimate, Estimate]:
    """Fraction of generated samples among the real ones, and of real among the generated ones.

    Kynkaanniemi et al. (2019), equations 1 and 2: a sample lies among others if it is within the
    ball around one of them that reaches to that one's k-th nearest neighbour.

    The intervals come from the spread over five disjoint random parts of both sets, since the balls
    are as random as the samples in them, and are at least as wide as Wilson's for the fraction.

    Args:
        generated: features of generated samples.
        real: features of real samples.
        k: which neighbour the balls reach to, at least 1.

    Returns:
        Precision and recall, both in [0, 1].

    Raises:
        RequestError: the features are not finite, differ in dimension, or are fewer than
            `fewest(k)`; k is below 1.
    """
    generated, real = _prepared(generated, real, k)
    function = functools.partial(_precision_recall, k=k)
    (precision, recall), parts = function(generated, real), _over_parts(function, generated, real)
    return (
        _fraction(precision, len(generated), parts[:, 0]),
        _fraction(recall, len(real), parts[:, 1]),
    )


def density_coverage(
    generated: Float[np.ndarray, "n d"], real: Float[np.ndarray, "m d"], k: int = DENSITY_K
) -> tuple[Estimate, Estimate]:
    """Density of generated samples around real ones, and fraction of real ones that are covered.

    Naeem et al. (2020), section 3, with a ball around each real sample that reaches to its k-th
    nearest real neighbour. Density is the mean number of balls in which a generated sample lies,
    divided by k; it may exceed 1. Coverage is the fraction of the balls that contain a generated
    sample. The intervals are computed as in `precision_recall`.

    Args:
        generated: features of generated samples.
        real: features of real samples.
        k: which neighbour the balls reach to, at least 1.

    Returns:
        Density, at least 0, and coverage, in [0, 1].

    Raises:
        RequestError: the features are not finite, differ in dimension, or are fewer than
            `fewest(k)`; k is below 1.
    """
    generated, real = _prepared(generated, real, k)
    function = functools.partial(_density_coverage, k=k)
    (density, coverage), parts = function(generated, real), _over_parts(function, generated, real)
    return (
        spread_over_parts(density, parts[:, 0]).clipped(low=0.0),
        _fraction(coverage, len(real), parts[:, 1]),
    )


def memorisation(
    generated: Float[np.ndarray, "n d"],
    training: Float[np.ndarray, "m d"],
    held_out: Float[np.ndarray, "l d"],
) -> Estimate:
    """Probability that a generated sample is nearer to the training set than a held-out one.

    The distance of a sample is that to its nearest training example, and ties count as one half.
    0.5 means as near as other real data; copies give values near 1. This is the statistic of Mann
    and Whitney (1947) as used by Meehan et al. (2020), without their cells. The interval is
    Wilson's for as many trials as the smaller set has samples: whatever the distances, the variance
    is at most that of such a proportion (Birnbaum and Klose, 1957).

    Args:
        generated: features of generated samples.
        training: features of the training examples.
        held_out: features of real examples that were not trained on.

    Raises:
        RequestError: the features are not finite, differ in dimension, or a set is empty.
    """
    sets = {"generated": generated, "training": training, "held_out": held_out}
    sets = {name: check_features(name, features, at_least=1) for name, features in sets.items()}
    check_dimensions(**sets)
    generated, training, held_out = _centred(*sets.values())
    distances = [
        np.concatenate([block.min(axis=1) for _, block in _squared_distances(rows, training)])
        for rows in (held_out, generated)
    ]
    farther = scipy.stats.mannwhitneyu(*distances, method="asymptotic").statistic
    value = float(farther) / (len(generated) * len(held_out))
    trials = min(len(generated), len(held_out))
    interval = of_proportion(round(value * trials), trials)
    return Estimate(value, min(value, interval.low), max(value, interval.high))


def fewest(k: int) -> int:
    """Returns the least number of samples of which each part has k neighbours for each sample."""
    return PARTS * (k + 1)


def _prepared(generated, real, k: int) -> tuple[np.ndarray, np.ndarray]:
    if k < 1:
        raise RequestError(f"k = {k}: must be at least 1")
    generated = check_features("generated", generated, at_least=fewest(k))
    real = check_features("real", real, at_least=fewest(k))
    check_dimensions(generated=generated, real=real)
    return _centred(generated, real)


def _centred(*sets: Float[np.ndarray, "_ d"]) -> tuple[Float64[np.ndarray, "_ d"], ...]:
    # Squared distances are differences of squared lengths; a common offset would cost precision.
    centre = sets[-1].mean(axis=0, dtype=np.float64)
    return tuple(features - centre for features in sets)


def _precision_recall(generated: np.ndarray, real: np.ndarray, k: int) -> tuple[float, float]:
    generated_radii, real_radii = _squared_radii(generated, k), _squared_radii(real, k)
    among_real = 0
    among_generated = np.zeros(len(real), bool)
    for rows, distances in _squared_distances(generated, real):
        among_real += np.count_nonzero((distances <= real_radii).any(axis=1))
        among_generated |= (distances <= generated_radii[rows, None]).any(axis=0)
    return among_real / len(generated), float(among_generated.mean())


def _density_coverage(generated: np.ndarray, real: np.ndarray, k: int) -> tuple[float, float]:
    radii = _squared_radii(real, k)
    inside = 0
    covered = np.zeros(len(real), bool)
    for _, distances in _squared_distances(generated, real):
        near = distances <= radii
        inside += np.count_nonzero(near)
        covered |= near.any(axis=0)
    return inside / (k * len(generated)), float(covered.mean())


def _over_parts(
    function: Callable[[np.ndarray, np.ndarray], tuple[float, float]],
    generated: np.ndarray,
    real: np.ndarray,
) -> Float64[np.ndarray, "parts 2"]:
    # Random parts, since samples are often ordered by class.
    random = np.random.default_rng(0)
    pairs = zip(_split(random, len(generated)), _split(random, len(real)), strict=True)
    return np.array([function(generated[first], real[second]) for first, second in pairs])


def _split(random: np.random.Generator, count: int) -> list[Int[np.ndarray, " _"]]:
    return np.array_split(random.permutation(count), PARTS)


def _fraction(value: float, total: int, parts: Float64[np.ndarray, " parts"]) -> Estimate:
    wilson = of_proportion(round(value * total), total)
    spread = spread_over_parts(value, parts).clipped(0.0, 1.0)
    return Estimate(value, min(wilson.low, spread.low), max(wilson.high, spread.high))


def _squared_radii(features: np.ndarray, k: int) -> Float64[np.ndarray, " n"]:
    """Returns the squared distance of each sample to its k-th nearest other one."""
    radii = np.empty(len(features))
    for rows, distances in _squared_distances(features, features):
        distances.partition(k, axis=1)  # the nearest of all is the sample itself
        radii[rows] = distances[:, k]
    return radii


def _squared_distances(
    rows: Float64[np.ndarray, "n d"], columns: Float64[np.ndarray, "m d"]
) -> Iterator[tuple[slice, Float64[np.ndarray, "block m"]]]:
    """Yields slices of the rows with their squared distances to all columns, exactly 0 for copies.

    Rows and columns are sets of features.
    """
    column_lengths = np.square(columns).sum(axis=1)
    # Bound of the rounding error in the zero distance between copies, relative to their lengths.
    rounding = (columns.shape[1] + 4) * np.finfo(np.float64).eps
    step = max(1, BLOCK // len(columns))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        lengths = np.square(block).sum(axis=1)[:, None] + column_lengths
        distances = block @ columns.T
        distances *= -2
        distances += lengths
        distances[distances <= rounding * lengths] = 0
        yield slice(start, start + step), distances
