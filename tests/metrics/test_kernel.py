import itertools
import math

import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.metrics import kernel
from tests.metrics.intervals import share_covering


def naive_discrepancy(first, second) -> float:
    def mean(pairs):
        return np.mean([(x @ y / len(x) + 1) ** 3 for x, y in pairs])

    return (
        mean(itertools.permutations(first, 2))
        + mean(itertools.permutations(second, 2))
        - 2 * mean(itertools.product(first, second))
    )


def test_discrepancy_is_that_of_all_pairs():
    random = np.random.default_rng(0)
    first, second = random.standard_normal((7, 3)), random.standard_normal((9, 3)) + 0.5
    expected = naive_discrepancy(first, second)
    assert kernel.squared_discrepancy(first, second) == pytest.approx(expected, rel=1e-12)


def test_discrepancy_of_two_constants():
    # Every kernel is (x y + 1)^3: 1 within the zeros, 8 within the ones, 1 between them.
    zeros, ones = np.zeros((4, 2)), np.ones((5, 2))
    assert kernel.squared_discrepancy(zeros, ones) == pytest.approx(1 + 8 - 2)
    found = kernel.kernel_distance(zeros, ones)
    assert (found.value, found.low, found.high) == pytest.approx((7, 7, 7))


def test_equal_distributions_are_at_zero_on_average():
    random = np.random.default_rng(1)
    values = [
        kernel.squared_discrepancy(random.standard_normal((20, 4)), random.standard_normal((20, 4)))
        for _ in range(2000)
    ]
    assert min(values) < 0
    assert abs(np.mean(values)) < 3 * np.std(values) / math.sqrt(len(values))


@pytest.mark.parametrize("shift", [0.0, 0.5])
@pytest.mark.parametrize("size", [20, 1000])
def test_interval_covers_the_truth(shift, size):
    def draw(random):
        generated = random.standard_normal((100, 2)) + shift
        real = random.standard_normal((150, 2))
        return kernel.kernel_distance(generated, real, subsets=40, subset_size=size)

    # E (x'y / 2 + 1)^3 = 1 + 3 m / 2 + 3 E(x'y)^2 / 4 + E(x'y)^3 / 8, of x and y with means a, b.
    def expected(a, b):
        product = 2 * a * b
        square = 2 * (1 + a * a) * (1 + b * b) + 2 * a * a * b * b
        cube = 2 * (a**3 + 3 * a) * (b**3 + 3 * b) + 6 * (a * a + 1) * (b * b + 1) * a * b
        return 1 + 3 * product / 2 + 3 * square / 4 + cube / 8

    truth = expected(shift, shift) + expected(0, 0) - 2 * expected(shift, 0)
    assert 0.85 <= share_covering(truth, draw) <= 1


def test_seed_chooses_the_subsets():
    random = np.random.default_rng(2)
    features, other = random.standard_normal((40, 2)), random.standard_normal((40, 2))
    one = kernel.kernel_distance(features, other, subsets=5, seed=1)
    assert one == kernel.kernel_distance(features, other, subsets=5, seed=1)
    assert one != kernel.kernel_distance(features, other, subsets=5, seed=2)


def test_float32_features_count_as_float64():
    random = np.random.default_rng(3)
    features, other = (random.standard_normal((2, 40, 2)) + 10).astype(np.float32)
    found = kernel.kernel_distance(features, other)
    assert found == kernel.kernel_distance(features.astype(np.float64), other.astype(np.float64))


def test_bad_input_is_refused():
    features = np.zeros((5, 2))
    with pytest.raises(RequestError, match="generated holds 3 samples: at least 4"):
        kernel.kernel_distance(features[:3], features)
    with pytest.raises(RequestError, match="real: the features of 5 of 5 samples are NaN"):
        kernel.kernel_distance(features, features + math.inf)
    with pytest.raises(RequestError, match="generated has 1, real has 2"):
        kernel.kernel_distance(features[:, :1], features)
    with pytest.raises(RequestError, match="subsets = 1: must be at least 2"):
        kernel.kernel_distance(features, features, subsets=1)
    with pytest.raises(RequestError, match="subset_size = 0: must be at least 2"):
        kernel.kernel_distance(features, features, subset_size=0)
