"""Estimates: the value of a metric with its 95 % confidence interval."""

import math
from dataclasses import dataclass

import numpy as np
import scipy  # which imports its parts when they are used
from jaxtyping import Float

from gan_jax.common.errors import RequestError

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value with a 95 % confidence interval, low <= value <= high; never NaN.

    Attributes:
        value: the measured value.
        low: lower end of the interval.
        high: upper end of the interval.

    Raises:
        RequestError: the three are not in this order, or one is NaN.
    """

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise RequestError(f"{self}: must have low <= value <= high, and no NaN")

    def clipped(self, low: float = -math.inf, high: float = math.inf) -> "Estimate":
        """Returns the estimate clipped to the possible range [low, high]."""
        return Estimate(*(min(max(one, low), high) for one in (self.value, self.low, self.high)))


def from_standard_error(value: float, standard_error: float) -> Estimate:
    """Returns a value with the normal interval, value +- 1.96 standard errors."""
    return _symmetric(value, standard_error * scipy.stats.norm.ppf((1 + CONFIDENCE) / 2))


def of_mean(values: Float[np.ndarray, " n"]) -> Estimate:
    """Returns the mean of independent values, with the interval of Student's t (1908).

    Raises:
        RequestError: there are fewer than two values, or one is not finite.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise RequestError(f"values have shape {values.shape}: give at least 2 along one axis")
    if not np.isfinite(values).all():
        bad = np.count_nonzero(~np.isfinite(values))
        raise RequestError(f"values: {bad} of {len(values)} are NaN or infinite")
    return spread_over_parts(float(values.mean()), values)


def spread_over_parts(value: float, parts: Float[np.ndarray, " n"]) -> Estimate:
    """Returns a value with an interval from measurements on n equal parts of the samples.

    The variance is inversely proportional to the number of samples, so that of the value is the
    variance between the parts divided by n (Politis and Romano, 1994); the interval is Student's t
    with n - 1 degrees of freedom.
    """
    standard_error = float(np.std(parts, ddof=1)) / math.sqrt(len(parts))
    return _symmetric(
        value, standard_error * scipy.stats.t.ppf((1 + CONFIDENCE) / 2, len(parts) - 1)
    )


def of_proportion(count: int, total: int) -> Estimate:
    """Returns the fraction of independent trials that succeeded, with Wilson's (1927) interval.

    Raises:
        RequestError: there are no trials, or the count is not in [0, total].
    """
    if not 0 <= count <= total or total < 1:
        raise RequestError(f"count = {count} of total = {total}: must be 0 <= count <= total >= 1")
    value = count / total
    interval = scipy.stats.binomtest(int(count), int(total)).proportion_ci(CONFIDENCE, "wilson")
    # At 0 and 1, rounding may move the end of the interval past the value.
    return Estimate(value, min(float(interval.low), value), max(float(interval.high), value))


def of_repetitions(values: Float[np.ndarray, "repetitions items"], proportion: bool) -> Estimate:
    """Returns the mean of values of the same items in several repetitions.

    The interval is for other repetitions and for other items: the two parts are added as those of
    independent errors are. That of the repetitions is Student's t, and that of the items Wilson's
    (1927) for proportions, and normal otherwise.

    Args:
        values: at least two repetitions of at least one item.
        proportion: whether they are 0 or 1.
    """
    mean, items = float(values.mean()), values.shape[1]
    between = of_mean(values.mean(axis=1))
    if proportion:
        other_items = of_proportion(round(mean * items), items)
    else:
        deviation = values.mean(axis=0).std(ddof=1) if items > 1 else 0.0
        other_items = from_standard_error(mean, float(deviation) / math.sqrt(items))
    below = math.hypot(mean - between.low, max(0.0, mean - other_items.low))
    above = math.hypot(between.high - mean, max(0.0, other_items.high - mean))
    return Estimate(mean, mean - below, mean + above)


def _symmetric(value: float, half_width: float) -> Estimate:
    return Estimate(float(value), float(value - half_width), float(value + half_width))
