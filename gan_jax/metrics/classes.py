"""Metrics of a classifier's opinion: scores, modes, shares of classes, and intended labels."""

import math

import numpy as np
from jaxtyping import Float, Float64, Integer
from scipy import special, stats

from gan_jax.common.errors import RequestError
from gan_jax.metrics.estimate import CONFIDENCE, Estimate, from_standard_error, of_proportion
from gan_jax.metrics.inputs import check_dimensions, check_features, check_labels

RESAMPLES = 1000
SUM_TOLERANCE = 1e-3  # of a row of probabilities in float16


def classifier_score(probabilities: Float[np.ndarray, "n k"]) -> Estimate:
    """Exponential of the mean divergence KL(p(y|x) || p(y)), in [1, k], over all samples.

    Salimans et al. (2016), section 4; the Inception score where the classifier is Inception. It is
    biased downwards (Chong and Forsyth, 2020), by up to about (k - 1) / (2 n) of itself, for which
    the interval does not make up. The interval is normal for the mean divergence: p(y) adds
    nothing to its variance, as the derivative of the mean by p(y) is the same for all classes.

    Raises:
        RequestError: no probabilities [n, k] with rows that sum to 1, or fewer than two rows.
    """
    rows = _probabilities("probabilities", probabilities)
    return _exponential(*_log_score(rows)).clipped(1.0, float(rows.shape[1]))


def score_ratio(generated: Float[np.ndarray, "n k"], real: Float[np.ndarray, "m k"]) -> Estimate:
    """Classifier score of generated samples over that of real ones; 1 is as good as real.

    Args:
        generated: the classifier's probabilities for generated samples.
        real: those for real ones.

    Raises:
        RequestError: no probabilities [n, k] with rows that sum to 1, fewer than two rows, or
            different numbers of classes.
    """
    generated = _probabilities("generated", generated)
    real = _probabilities("real", real)
    check_dimensions(generated=generated, real=real)
    value, error = _log_score(generated)
    real_value, real_error = _log_score(real)
    return _exponential(value - real_value, math.hypot(error, real_error))


def class_shares(
    labels: Integer[np.ndarray, " n"], classes: int
) -> Float64[np.ndarray, " classes"]:
    """Share of each class; RequestError for labels that are not integers in [0, classes)."""
    return _counts("labels", labels, classes) / len(labels)


def mode_count(labels: Integer[np.ndarray, " n"], classes: int) -> Estimate:
    """Number of classes seen at least once.

    The interval is for the classes that the generator makes at all: from those seen up to twice
    that less what a bootstrap sees (Smith and van Belle, 1984). Where many classes are expected
    less than once in n samples, it reaches too low.

    Raises:
        RequestError: labels that are not integers in [0, classes), or none.
    """
    counts = _counts("labels", labels, classes)
    seen = np.count_nonzero(counts)
    resampled = np.count_nonzero(_resampled(np.random.default_rng(0), counts), axis=1)
    return _bootstrapped(seen, resampled).clipped(high=classes)


def class_divergence(
    labels: Integer[np.ndarray, " n"], real_labels: Integer[np.ndarray, " m"], classes: int
) -> Estimate:
    """KL(histogram of generated classes || histogram of real ones), in nats.

    Infinite where a class is generated that the real labels lack; nothing is known then of the
    interval, which is [0, inf]. The value is biased upwards, by about (classes - 1) / (2 n)
    for the generated labels (Miller, 1955), for which the interval makes up: a bootstrap of both
    histograms is as far above the value as the value is above the truth.

    Raises:
        RequestError: labels that are not integers in [0, classes), or none.
    """
    counts = _counts("labels", labels, classes)
    real_counts = _counts("real_labels", real_labels, classes)
    value = stats.entropy(counts, real_counts)
    if math.isinf(value):
        return Estimate(math.inf, 0.0, math.inf)
    random = np.random.default_rng(0)
    resampled = stats.entropy(_resampled(random, counts), _resampled(random, real_counts), axis=1)
    return _bootstrapped(value, resampled).clipped(low=0.0)


def intended_accuracy(
    labels: Integer[np.ndarray, " n"], intended: Integer[np.ndarray, " n"]
) -> Estimate:
    """Share of conditional samples that are classified as the class that was asked for.

    Raises:
        RequestError: the labels are not integers, or not one for each intended one.
    """
    labels, intended = np.asarray(labels), np.asarray(intended)
    if labels.shape != intended.shape:
        raise RequestError(
            f"labels of shape {labels.shape}, intended ones of {intended.shape}: must be equal"
        )
    unbounded = np.iinfo(np.int64).max
    labels = check_labels("labels", labels, unbounded)
    intended = check_labels("intended", intended, unbounded)
    return of_proportion(np.count_nonzero(labels == intended), len(labels))


def _probabilities(name: str, probabilities: np.ndarray) -> Float64[np.ndarray, "n k"]:
    rows = check_features(name, probabilities, at_least=2).astype(np.float64)
    sums = rows.sum(axis=1, keepdims=True)
    if rows.min() < 0 or np.abs(sums - 1).max() > SUM_TOLERANCE:
        raise RequestError(
            f"{name}: rows sum to {sums.min():g} to {sums.max():g}, with values down to "
            f"{rows.min():g}: must be probabilities that sum to 1"
        )
    return rows / sums


def _log_score(rows: Float64[np.ndarray, "n k"]) -> tuple[float, float]:
    """The mean divergence and its standard error, in nats."""
    divergences = special.rel_entr(rows, rows.mean(axis=0)).sum(axis=1)
    return float(divergences.mean()), float(divergences.std(ddof=1)) / math.sqrt(len(rows))


def _exponential(value: float, standard_error: float) -> Estimate:
    logarithm = from_standard_error(value, standard_error)
    return Estimate(math.exp(logarithm.value), math.exp(logarithm.low), math.exp(logarithm.high))


def _counts(name: str, labels: np.ndarray, classes: int) -> Integer[np.ndarray, " classes"]:
    return np.bincount(check_labels(name, labels, classes), minlength=classes)


def _resampled(
    random: np.random.Generator, counts: Integer[np.ndarray, " classes"]
) -> Integer[np.ndarray, "resamples classes"]:
    return random.multinomial(counts.sum(), counts / counts.sum(), size=RESAMPLES)


def _bootstrapped(value: float, resampled: Float[np.ndarray, " resamples"]) -> Estimate:
    """The basic bootstrap interval (Davison and Hinkley, 1997, section 5.2), holding the value."""
    ends = [(1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2]
    # Not interpolated: between infinite values that would be NaN.
    low, high = 2 * value - np.quantile(resampled, ends, method="inverted_cdf")
    return Estimate(float(value), float(min(low, value)), float(max(high, value)))
