"""Metrics of a classifier's outputs: scores, modes, fractions of classes, and intended labels."""

import math

import numpy as np
import scipy  # which imports its parts when they are used
from jaxtyping import Float, Float64, Integer

from gan_jax.common.errors import RequestError
from gan_jax.metrics.estimate import CONFIDENCE, Estimate, from_standard_error, of_proportion
from gan_jax.metrics.inputs import check_dimensions, check_features, check_labels

RESAMPLES = 1000
SUM_TOLERANCE = 1e-3  # of a row of probabilities in float16


def classifier_score(probabilities: Float[np.ndarray, "n k"]) -> Estimate:
    """Exponential of the mean divergence KL(p(y|x) || p(y)) over all samples, in [1, k].

    Salimans et al. (2016), section 4; with the Inception network as classifier, the Inception
    score. It is biased downwards (Chong and Forsyth, 2020), by a fraction of up to about
    (k - 1) / (2 n), for which the interval does not correct. The interval is a normal one for the
    mean divergence: p(y) adds nothing to its variance, as the derivative of the mean with respect
    to p(y) is the same for all classes.

    Args:
        probabilities: the classifier's probabilities of k classes for n samples.

    Raises:
        RequestError: not probabilities [n, k] whose rows sum to 1, or fewer than two rows.
    """
    rows = _probabilities("probabilities", probabilities)
    return _exponential(*_log_score(rows)).clipped(1.0, float(rows.shape[1]))


def score_ratio(generated: Float[np.ndarray, "n k"], real: Float[np.ndarray, "m k"]) -> Estimate:
    """Classifier score of generated samples divided by that of real ones; 1 is as good as real.

    Args:
        generated: the classifier's probabilities for generated samples.
        real: its probabilities for real samples.

    Raises:
        RequestError: not probabilities whose rows sum to 1, fewer than two rows, or different
            numbers of classes.
    """
    generated = _probabilities("generated", generated)
    real = _probabilities("real", real)
    check_dimensions(generated=generated, real=real)
    value, error = _log_score(generated)
    real_value, real_error = _log_score(real)
    return _exponential(value - real_value, math.hypot(error, real_error))


def class_fractions(
    labels: Integer[np.ndarray, " n"], classes: int
) -> Float64[np.ndarray, " classes"]:
    """Fraction of the labels that each class has, in [0, 1].

    Raises:
        RequestError: the labels are not integers in [0, classes), or there are none.
    """
    return _counts("labels", labels, classes) / len(labels)


def mode_count(labels: Integer[np.ndarray, " n"], classes: int) -> Estimate:
    """Number of classes seen at least once.

    The interval is for the number of classes that the generator makes at all: from the number seen
    to twice that minus what a bootstrap sees (Smith and van Belle, 1984). It ends too low if many
    classes are expected less than once in n samples.

    Args:
        labels: the class of each sample.
        classes: the number of classes there are.

    Raises:
        RequestError: the labels are not integers in [0, classes), or there are none.
    """
    counts = _counts("labels", labels, classes)
    seen = np.count_nonzero(counts)
    resampled = np.count_nonzero(_resampled(np.random.default_rng(0), counts), axis=1)
    return _bootstrapped(seen, resampled).clipped(high=classes)


def class_divergence(
    labels: Integer[np.ndarray, " n"], real_labels: Integer[np.ndarray, " m"], classes: int
) -> Estimate:
    """KL(histogram of generated classes || histogram of real ones), in nats.

    It is infinite, with the interval [0, inf], if a class is generated that the real labels lack.
    The value is biased upwards, by about (classes - 1) / (2 n) for the generated labels (Miller,
    1955). The interval corrects for that: a bootstrap of both histograms lies as far above the
    value as the value lies above the truth.

    Args:
        labels: classes of generated samples.
        real_labels: classes of real samples.
        classes: the number of classes there are.

    Raises:
        RequestError: the labels are not integers in [0, classes), or there are none.
    """
    counts = _counts("labels", labels, classes)
    real_counts = _counts("real_labels", real_labels, classes)
    value = scipy.stats.entropy(counts, real_counts)
    if math.isinf(value):
        return Estimate(math.inf, 0.0, math.inf)
    random = np.random.default_rng(0)
    resampled = scipy.stats.entropy(
        _resampled(random, counts), _resampled(random, real_counts), axis=1
    )
    return _bootstrapped(value, resampled).clipped(low=0.0)


def intended_accuracy(
    labels: Integer[np.ndarray, " n"], intended: Integer[np.ndarray, " n"]
) -> Estimate:
    """Fraction of conditional samples that are classified as the class they were made for.

    Args:
        labels: the classifier's class of each sample.
        intended: the label that each sample was generated with.

    Raises:
        RequestError: the labels are not integers from 0 on, or not as many as the intended ones.
    """
    labels, intended = np.asarray(labels), np.asarray(intended)
    if labels.shape != intended.shape:
        raise RequestError(
            f"labels have shape {labels.shape}, intended ones {intended.shape}: must be equal"
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
    """Returns the mean divergence and its standard error, in nats."""
    divergences = scipy.special.rel_entr(rows, rows.mean(axis=0)).sum(axis=1)
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
    # Interpolation between infinite values would give NaN.
    low, high = 2 * value - np.quantile(resampled, ends, method="inverted_cdf")
    return Estimate(float(value), float(min(low, value)), float(max(high, value)))
