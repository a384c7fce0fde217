import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from gan_jax.common.errors import RequestError
from gan_jax.metrics import estimate
from gan_jax.metrics.estimate import Estimate
from tests.metrics.intervals import share_covering


def test_normal_interval_reaches_1_96_standard_errors_to_both_sides():
    found = estimate.from_standard_error(3.0, 2.0)
    np.testing.assert_allclose([found.low, found.high], [3 - 3.91993, 3 + 3.91993], rtol=1e-5)


def test_mean_has_the_interval_of_student():
    found = estimate.of_mean(np.array([1.0, 2.0, 3.0, 4.0]))
    # The 0.975 quantile of t with 3 degrees of freedom is 3.18245 in every table.
    half_width = 3.18245 * math.sqrt(5 / 3) / 2
    np.testing.assert_allclose([found.low, found.high], [2.5 - half_width, 2.5 + half_width], 1e-5)
    assert found.value == 2.5


def test_proportion_has_the_interval_of_wilson():
    found = estimate.of_proportion(8, 10)
    z = 1.959964
    centre, root = 0.8 + z**2 / 20, z * math.sqrt(0.8 * 0.2 / 10 + z**2 / 400)
    expected = [(centre - root) / (1 + z**2 / 10), (centre + root) / (1 + z**2 / 10)]
    np.testing.assert_allclose([found.low, found.high], expected, rtol=1e-6)


def test_interval_of_the_mean_covers_the_truth():
    share = share_covering(1.0, lambda random: estimate.of_mean(random.exponential(size=50)))
    assert 0.85 <= share <= 1


@pytest.mark.parametrize("truth", [0.02, 0.5])
def test_interval_of_a_proportion_covers_the_truth(truth):
    def draw(random):
        return estimate.of_proportion(random.binomial(60, truth), 60)

    assert 0.9 <= share_covering(truth, draw) <= 1


@hypothesis.given(total=strategies.integers(1, 10**9), data=strategies.data())
def test_every_proportion_lies_in_its_interval_within_0_and_1(total, data):
    count = data.draw(strategies.integers(0, total))
    found = estimate.of_proportion(count, total)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


def test_clipping_cuts_to_what_is_possible():
    assert Estimate(0.5, -1.0, 2.0).clipped(0.0, 1.0) == Estimate(0.5, 0.0, 1.0)
    rounded = 1 + 1e-15
    assert Estimate(rounded, rounded, rounded).clipped(0.0, 1.0) == Estimate(1.0, 1.0, 1.0)


@pytest.mark.parametrize("values", [(1.0, 2.0, 3.0), (1.0, 0.0, 0.5), (math.nan, 0.0, 1.0)])
def test_values_outside_their_interval_are_refused(values):
    with pytest.raises(RequestError, match="low <= value <= high"):
        Estimate(*values)


def test_bad_input_is_refused():
    with pytest.raises(RequestError, match=r"values have shape \(1,\): give at least 2"):
        estimate.of_mean(np.array([1.0]))
    with pytest.raises(RequestError, match="values: 1 of 2 are NaN or infinite"):
        estimate.of_mean(np.array([1.0, math.nan]))
    with pytest.raises(RequestError, match="count = 3 of total = 2"):
        estimate.of_proportion(3, 2)
    with pytest.raises(RequestError, match="count = 0 of total = 0"):
        estimate.of_proportion(0, 0)


def test_repetitions_have_an_interval_for_other_repetitions_and_other_items():
    """Items are hard or easy alike in all repetitions, which differ in how good they are."""
    random = np.random.default_rng(0)
    held, number = 0, 2_000
    for _ in range(number):
        level = 0.8 + 0.03 * random.standard_normal(3)  # of each repetition
        values = (random.random(400) < level[:, None]).astype(float)
        found = estimate.of_repetitions(values, proportion=True)
        held += found.low <= 0.8 <= found.high
    assert 0.93 <= held / number <= 0.995


def test_repetitions_that_agree_have_the_interval_of_their_items():
    values = np.zeros((3, 300))
    values[:, :285] = 1
    found, alone = estimate.of_repetitions(values, True), estimate.of_proportion(285, 300)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high))
    perfect = estimate.of_repetitions(np.ones((2, 50)), True)
    assert (perfect.value, perfect.high) == (1, 1)
    assert perfect.low == pytest.approx(estimate.of_proportion(50, 50).low)
    difference = estimate.of_repetitions(np.tile([-1.0, 0, 1, 0], (2, 25)), False)
    assert difference.high == pytest.approx(1.96 * np.sqrt(0.5 / 100), rel=0.01)
