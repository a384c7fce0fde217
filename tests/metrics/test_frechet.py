import logging
import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from gan_jax.common.errors import RequestError
from gan_jax.metrics import frechet
from gan_jax.metrics.frechet import Moments
from tests.metrics.intervals import share_covering

MANY = 10**6


def gaussian(mean, covariance) -> Moments:
    return Moments(MANY, np.array(mean, np.float64), np.array(covariance, np.float64))


def random_covariance(random, dimension, rank=None) -> np.ndarray:
    root = random.standard_normal((dimension, rank or dimension))
    return root @ root.T


def rotation(random, dimension) -> np.ndarray:
    return np.linalg.qr(random.standard_normal((dimension, dimension)))[0]


def test_one_dimension():
    first, second = gaussian([1.0], [[9.0]]), gaussian([3.0], [[0.25]])
    assert frechet.frechet_distance(first, second) == pytest.approx(2.0**2 + 2.5**2, rel=1e-14)


def test_covariances_that_commute():
    random = np.random.default_rng(0)
    axes = rotation(random, 6)
    deviations, others = random.uniform(0.1, 3, 6), random.uniform(0.1, 3, 6)
    first = gaussian(np.zeros(6), axes * deviations**2 @ axes.T)
    second = gaussian(np.ones(6), axes * others**2 @ axes.T)
    expected = 6 + np.square(deviations - others).sum()
    assert frechet.frechet_distance(first, second) == pytest.approx(expected, rel=1e-12)


def test_covariances_that_do_not_commute_as_by_symmetric_square_roots():
    random = np.random.default_rng(1)
    first, second = random_covariance(random, 5), random_covariance(random, 5)
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(values) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ second @ root)).sum()
    expected = np.trace(first) + np.trace(second) - 2 * cross
    zero = np.zeros(5)
    found = frechet.frechet_distance(gaussian(zero, first), gaussian(zero, second))
    assert found == pytest.approx(expected, rel=1e-12)


def test_common_rotation_and_shift_change_nothing():
    random = np.random.default_rng(2)
    first, second = random_covariance(random, 7), random_covariance(random, 7)
    mean, turn = random.standard_normal(7), rotation(random, 7)
    before = frechet.frechet_distance(gaussian(np.zeros(7), first), gaussian(mean, second))
    after = frechet.frechet_distance(
        gaussian(np.ones(7), turn @ first @ turn.T),
        gaussian(turn @ mean + 1, turn @ second @ turn.T),
    )
    assert after == pytest.approx(before, rel=1e-12)


def test_singular_covariances():
    # Two lines at an angle: tr (S1 S2)^(1/2) is the product of the deviations and the cosine.
    angle = 0.3
    line, other = np.array([1.0, 0.0, 0.0]), np.array([math.cos(angle), math.sin(angle), 0.0])
    first, second = 4 * np.outer(line, line), 9 * np.outer(other, other)
    zero = np.zeros(3)
    found = frechet.frechet_distance(gaussian(zero, first), gaussian(zero, second))
    assert found == pytest.approx(4 + 9 - 2 * 2 * 3 * math.cos(angle), rel=1e-14)


def test_points_without_any_spread():
    first, second = gaussian([0.0, 0.0], np.zeros((2, 2))), gaussian([3.0, 4.0], np.eye(2))
    assert frechet.frechet_distance(first, second) == pytest.approx(25 + 2, rel=1e-14)


@hypothesis.given(strategies.integers(0, 10**6), strategies.integers(1, 8), strategies.data())
@hypothesis.settings(deadline=None)
def test_distance_is_symmetric_and_zero_to_itself_for_every_rank(seed, dimension, data):
    random = np.random.default_rng(seed)
    ranks = [data.draw(strategies.integers(1, dimension)) for _ in range(2)]
    scale = 10.0 ** data.draw(strategies.integers(-6, 6))
    zero = np.zeros(dimension)
    first, second = (
        gaussian(zero, scale * random_covariance(random, dimension, rank)) for rank in ranks
    )
    forth = frechet.frechet_distance(first, second)
    size = np.trace(first.covariance) + np.trace(second.covariance)
    assert forth >= 0
    assert forth == pytest.approx(frechet.frechet_distance(second, first), abs=1e-7 * size)
    assert frechet.frechet_distance(first, first) <= 1e-7 * size


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_moments_of_batches_are_those_of_all_samples(offset):
    random = np.random.default_rng(3)
    features = random.standard_normal((3000, 5)) @ random.standard_normal((5, 5))
    batches = np.split(features + offset, [1, 4, 1500])
    found = frechet.moments(iter(batches))
    assert found.count == 3000
    np.testing.assert_allclose(found.mean, features.mean(axis=0) + offset, rtol=1e-13, atol=1e-13)
    tolerance = 1e-13 if offset == 0 else 1e-9  # the features themselves lose digits by the offset
    np.testing.assert_allclose(found.covariance, np.cov(features.T), rtol=0, atol=30 * tolerance)


@hypothesis.given(strategies.lists(strategies.integers(0, 7), max_size=5))
@hypothesis.settings(deadline=None)
def test_moments_do_not_depend_on_the_sizes_of_the_batches(sizes):
    features = np.random.default_rng(4).standard_normal((40, 3)) + 10
    found = frechet.moments(np.split(features, np.cumsum(sizes)))
    np.testing.assert_allclose(found.mean, features.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(found.covariance, np.cov(features.T), atol=1e-12)


def test_float32_features_are_summed_in_float64():
    features = (np.random.default_rng(5).standard_normal((5000, 2)) + 1000).astype(np.float32)
    expected = np.cov(features.astype(np.float64).T)
    np.testing.assert_allclose(frechet.moments([features]).covariance, expected, rtol=1e-10)


def test_standard_error_is_that_of_a_bootstrap():
    random = np.random.default_rng(6)
    features = random.standard_normal((400, 3)) @ random_covariance(random, 3) + 0.5
    real = gaussian(np.zeros(3), random_covariance(random, 3))
    resampled = [
        frechet.frechet_distance(frechet.moments([features[random.integers(400, size=400)]]), real)
        for _ in range(1000)
    ]
    found = frechet.estimate(features, real)
    distance = frechet.frechet_distance(frechet.moments([features]), real)
    assert found.value == pytest.approx(distance, rel=1e-13)
    standard_error = (found.high - found.value) / 1.959964
    assert standard_error == pytest.approx(np.std(resampled), rel=0.1)


def test_interval_covers_the_distance_of_the_distributions():
    deviations = np.array([2.0, 1.0, 0.5])
    real = gaussian(np.zeros(3), np.eye(3))

    def draw(random):
        return frechet.estimate(random.standard_normal((500, 3)) * deviations + 0.3, real)

    truth = 3 * 0.3**2 + np.square(deviations - 1).sum()
    assert 0.9 <= share_covering(truth, draw) <= 0.99


def test_interval_also_where_the_covariance_is_singular():
    # The third feature is the sum of the others: a linear map of two dimensions.
    line = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    features = np.random.default_rng(7).standard_normal((300, 2)) + 0.2
    axes = np.linalg.qr(line.T)[0]
    flat, real = features @ line, gaussian(np.zeros(3), line.T @ line)
    within = gaussian(np.zeros(2), axes.T @ real.covariance @ axes)
    found, expected = frechet.estimate(flat, real), frechet.estimate(flat @ axes, within)
    assert found.value == pytest.approx(expected.value, rel=1e-6)
    assert found.high == pytest.approx(expected.high, rel=1e-6)


def test_singular_values_of_zero_cost_no_digits():
    # Real samples on a line w: tr (S w w')^(1/2) is (w' S w)^(1/2), and all else a root of zero.
    random = np.random.default_rng(9)
    features, line = random.standard_normal((100, 6)), random.standard_normal(6)
    moments = frechet.moments([features])
    cross = math.sqrt(line @ moments.covariance @ line)
    squares = moments.mean @ moments.mean + np.trace(moments.covariance) + line @ line
    found = frechet.estimate(features, gaussian(np.zeros(6), np.outer(line, line)))
    assert found.value == pytest.approx(squares - 2 * cross, rel=1e-13)


@pytest.mark.parametrize("decades", [2, 12, 20])
def test_samples_moved_by_a_symmetric_map_are_as_far_as_they_moved(decades):
    # A symmetric positive map is the optimal transport between Gaussians, so tr (S S_r)^(1/2) is
    # tr (S T), however many decades the variances span.
    random = np.random.default_rng(10)
    dimension = 40
    axes = rotation(random, dimension)
    features = random.standard_normal((120, dimension)) * np.logspace(0, -decades / 2, dimension)
    stretch = random.uniform(0.5, 2, dimension)
    moved = (features * stretch) @ axes
    expected = np.square(features.mean(axis=0) * (1 - stretch)).sum()
    expected += (features.var(axis=0, ddof=1) * (1 - stretch) ** 2).sum()
    real = frechet.moments([moved])
    found = frechet.estimate(features @ axes, real).value
    assert found == pytest.approx(expected, rel=1e-12)
    distance = frechet.frechet_distance(frechet.moments([features @ axes]), real)
    assert distance == pytest.approx(expected, rel=1e-12)


def test_generated_samples_without_any_spread():
    real = gaussian(np.zeros(2), np.eye(2))
    found = frechet.estimate(np.tile([3.0, 4.0], (5, 1)), real)
    assert found.value == found.low == found.high == pytest.approx(25 + 2, rel=1e-14)


def test_few_samples_for_the_dimension_are_warned_of(caplog):
    random = np.random.default_rng(8)
    real = frechet.moments([random.standard_normal((50, 4))])
    with caplog.at_level(logging.WARNING):
        frechet.estimate(random.standard_normal((5, 4)), real)
        assert not caplog.messages
        found = frechet.estimate(random.standard_normal((4, 4)), real)
    assert len(caplog.messages) == 1
    assert "of 4 samples with features of 4 dimensions" in caplog.messages[0]
    assert math.isfinite(found.high)


def test_bad_input_is_refused():
    features = np.zeros((4, 3))
    real = frechet.moments([features])
    with pytest.raises(RequestError, match="features of 1 samples: a covariance needs at least 2"):
        frechet.moments([features[:1]])
    with pytest.raises(RequestError, match="features of 0 samples"):
        frechet.moments([])
    with pytest.raises(RequestError, match="one_batch has 3, another has 2"):
        frechet.moments([features, features[:, :2]])
    with pytest.raises(RequestError, match="first has 3, second has 2"):
        frechet.frechet_distance(real, frechet.moments([features[:, :2]]))
    with pytest.raises(RequestError, match=r"features has shape \(4,\) and dtype float64"):
        frechet.estimate(features[:, 0], real)
    with pytest.raises(RequestError, match="of 1 of 4 samples are NaN or infinite"):
        frechet.estimate(np.where(np.arange(4)[:, None] == 2, math.nan, features), real)
    with pytest.raises(RequestError, match="features holds 1 samples: at least 2"):
        frechet.estimate(features[:1], real)
