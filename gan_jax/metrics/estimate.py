"""A number and how far it can be trusted: the value of every metric, with a 95 % interval."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from gan_jax.common.errors import RequestError

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value with a 95 % confidence interval, low <= value <= high; never NaN.

    Attributes:
        value: what was measured.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        """Raises RequestError where the three are not in order, as with NaN."""
        if not self.low <= self.value <= self.high:
            raise RequestError(f"{self}: must be low <= value <= high, and no NaN")

    def clipped(self, low: float = -math.inf, high: float = math.inf) -> "Estimate":
        """The same cut to what is possible, [low, high], which rounding takes values past too."""
        return Estimate(*(min(max(one, low), high) for one in (self.value, self.low, self.high)))


def from_standard_error(value: float, standard_error: float) -> Estimate:
    """The normal interval, value +- 1.96 standard errors."""
    return _symmetric(value, standard_error * stats.norm.ppf((1 + CONFIDENCE) / 2))


def of_mean(values: Float[np.ndarray, " n"]) -> Estimate:
    """Mean of independent values, with the interval of Student's t (1908).

    Raises:
        RequestError: fewer than two values, or one that is not finite.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise RequestError(f"values of shape {values.shape}: give at least 2 in one row")
    if not np.isfinite(values).all():
        bad = np.count_nonzero(~np.isfinite(values))
        raise RequestError(f"values: {bad} of {len(values)} are NaN or infinite")
    return spread_over_parts(float(values.mean()), values)


def spread_over_parts(value: float, parts: Float[np.ndarray, " n"]) -> Estimate:
    """A value whose uncertainty shows in independent measurements on equal parts of the samples.

    The variance falls as one over the number of samples, so that the value's own is the variance
    between the n parts divided by n (Politis and Romano, 1994); the interval is Student's t with
    n - 1 degrees of freedom.
    """
    standard_error = float(np.std(parts, ddof=1)) / math.sqrt(len(parts))
    return _symmetric(value, standard_error * stats.t.ppf((1 + CONFIDENCE) / 2, len(parts) - 1))


def of_proportion(count: int, total: int) -> Estimate:
    """Share of independent trials that succeeded, with the interval of Wilson (1927).

    Raises:
        RequestError: no trials, or a count that is not in [0, total].
    """
    if not 0 <= count <= total or total < 1:
        raise RequestError(f"count = {count} of total = {total}: must be 0 <= count <= total >= 1")
    value = count / total
    interval = stats.binomtest(int(count), int(total)).proportion_ci(CONFIDENCE, "wilson")
    # At 0 and at 1 rounding may take the interval's end past the value.
    return Estimate(value, min(float(interval.low), value), max(float(interval.high), value))


def _symmetric(value: float, half_width: float) -> Estimate:
    return Estimate(float(value), float(value - half_width), float(value + half_width))
