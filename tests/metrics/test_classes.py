import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from gan_jax.common.errors import RequestError
from gan_jax.metrics import classes
from tests.metrics.intervals import share_covering

# A classifier's probabilities for three kinds of image, and how often each is generated.
KINDS = np.array([[0.7, 0.1, 0.1, 0.1], [0.05, 0.9, 0.05, 0.0], [0.2, 0.2, 0.3, 0.3]])
WEIGHTS = np.array([0.5, 0.2, 0.3])
SHARES = np.array([0.3, 0.3, 0.2, 0.1, 0.1])
REAL_SHARES = np.array([0.2, 0.2, 0.2, 0.2, 0.2])


def true_score() -> float:
    mean = WEIGHTS @ KINDS
    divergences = [
        sum(p * math.log(p / q) for p, q in zip(k, mean, strict=True) if p) for k in KINDS
    ]
    return math.exp(WEIGHTS @ divergences)


def rows(random, count) -> np.ndarray:
    return KINDS[random.choice(3, count, p=WEIGHTS)]


def test_score_of_sure_and_even_answers_is_the_number_of_classes():
    found = classes.classifier_score(np.tile(np.eye(7), (10, 1)))
    assert found.value == found.low == found.high == pytest.approx(7)


def test_score_of_one_answer_is_1():
    found = classes.classifier_score(np.tile([0.5, 0.3, 0.2], (10, 1)))
    assert (found.value, found.low, found.high) == pytest.approx((1, 1, 1))


def test_interval_of_the_score_covers_the_truth():
    def draw(random):
        return classes.classifier_score(rows(random, 300))

    assert 0.9 <= share_covering(true_score(), draw) <= 0.99


def test_score_ratio_divides_the_scores():
    random = np.random.default_rng(0)
    generated, real = random.dirichlet(np.ones(3), 20), random.dirichlet(np.ones(3) / 5, 30)
    expected = classes.classifier_score(generated).value / classes.classifier_score(real).value
    assert classes.score_ratio(generated, real).value == pytest.approx(expected, rel=1e-14)


def test_interval_of_the_score_ratio_covers_1_for_equal_distributions():
    def draw(random):
        return classes.score_ratio(rows(random, 300), rows(random, 200))

    assert 0.9 <= share_covering(1.0, draw) <= 0.99


def test_fractions_and_modes_count_the_classes():
    labels = np.array([0, 3, 3, 0, 3], np.uint8)
    np.testing.assert_array_equal(classes.class_fractions(labels, 5), [0.4, 0, 0, 0.6, 0])
    assert classes.mode_count(labels, 5).value == 2


def test_modes_of_all_classes_in_plenty_are_certain():
    found = classes.mode_count(np.repeat(np.arange(10), 100), 10)
    assert found.value == found.low == found.high == 10


def test_interval_of_the_mode_count_covers_the_classes_made():
    def draw(random):
        return classes.mode_count(random.integers(50, size=150), 100)

    assert 0.85 <= share_covering(50, draw) <= 1


def test_divergence_of_histograms():
    labels, real = np.repeat([0, 1], [30, 10]), np.repeat([0, 1, 2], [10, 10, 20])
    found = classes.class_divergence(labels, real, 3)
    assert found.value == pytest.approx(0.75 * math.log(3) + 0.25 * math.log(1), rel=1e-14)
    assert classes.class_divergence(real, real, 3).value == 0


def test_divergence_is_infinite_where_a_class_is_made_up():
    found = classes.class_divergence(np.array([0, 1]), np.array([0, 0]), 2)
    assert (found.value, found.low, found.high) == (math.inf, 0, math.inf)


@pytest.mark.parametrize("shares", [SHARES, REAL_SHARES])
def test_interval_of_the_divergence_covers_the_truth(shares):
    def draw(random):
        labels, real = random.choice(5, 400, p=shares), random.choice(5, 600, p=REAL_SHARES)
        return classes.class_divergence(labels, real, 5)

    truth = float((shares * np.log(shares / REAL_SHARES)).sum())
    assert 0.85 <= share_covering(truth, draw) <= 1


@hypothesis.given(strategies.data())
@hypothesis.settings(deadline=None)
def test_every_histogram_has_intervals_in_order(data):
    labels = strategies.lists(strategies.integers(0, 3), min_size=1, max_size=12).map(np.array)
    generated, real = data.draw(labels), data.draw(labels)
    modes = classes.mode_count(generated, 4)  # an Estimate refuses what is out of order, and NaN
    assert 1 <= modes.value == len(set(generated.tolist())) <= modes.high <= 4
    divergence = classes.class_divergence(generated, real, 4)
    assert divergence.low >= 0
    assert math.isinf(divergence.value) == (not set(generated.tolist()) <= set(real.tolist()))


def test_intended_accuracy_is_the_fraction_of_equal_labels():
    found = classes.intended_accuracy(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 0]))
    assert found.value == 0.75
    assert found.low < 0.75 < found.high


def test_bad_input_is_refused():
    labels = np.array([0, 1])
    with pytest.raises(RequestError, match=r"probabilities: rows sum to 0\.5 to 1"):
        classes.classifier_score(np.array([[0.5, 0.5], [0.5, 0.0]]))
    with pytest.raises(RequestError, match=r"real: .* values down to -0\.5"):
        classes.score_ratio(np.eye(2), np.array([[1.5, -0.5], [0.5, 0.5]]))
    with pytest.raises(RequestError, match="probabilities holds 1 samples: at least 2"):
        classes.classifier_score(np.eye(2)[:1])
    with pytest.raises(RequestError, match="generated has 2, real has 3"):
        classes.score_ratio(np.eye(2), np.eye(3))
    with pytest.raises(RequestError, match=r"labels has shape \(2,\) and dtype float64"):
        classes.class_fractions(labels / 2, 2)
    with pytest.raises(RequestError, match=r"run from 0 to 1: with classes = 1 .* \[0, 1\)"):
        classes.mode_count(labels, 1)
    with pytest.raises(RequestError, match=r"real_labels run from -1 to 0"):
        classes.class_divergence(labels, labels - 1, 2)
    with pytest.raises(RequestError, match="one for each sample"):
        classes.mode_count(labels[:0], 2)
    with pytest.raises(RequestError, match=r"labels have shape \(2,\), intended ones \(1,\)"):
        classes.intended_accuracy(labels, labels[:1])
