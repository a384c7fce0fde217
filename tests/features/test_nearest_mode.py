import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.data import points
from gan_jax.evaluation.evaluator import Evaluator, network_of
from gan_jax.evaluation.feature_sets import gather
from gan_jax.evaluation.measure import Sides, measure
from gan_jax.features.nearest_mode import NearestMode
from gan_jax.metrics.estimate import Estimate
from tests.tiny import tiny_points

NETWORK = NearestMode(((0.0, 0.0), (4.0, 0.0), (0.0, 4.0)), radius=0.5)
POINTS = np.array([[0.1, 0], [4, 0.4], [4.3, -0.3], [1.0, 1.0], [0.0, 3.2]], np.float32)


def test_the_nearest_mode_and_what_is_good():
    features, probabilities, good, *_ = NETWORK.extract(POINTS)
    np.testing.assert_array_equal(features, POINTS)
    np.testing.assert_array_equal(probabilities.argmax(1), [0, 1, 1, 0, 2])
    np.testing.assert_array_equal(probabilities.sum(1), 1)
    np.testing.assert_array_equal(good, [True, True, True, False, False])


def measured(samples):
    real = gather([NETWORK.extract(np.repeat(POINTS[:3], 20, axis=0))])
    return measure(Sides(gather([NETWORK.extract(samples)]), real))


def test_modes_count_where_a_sample_is_good():
    found = measured(POINTS)
    assert found["mode_count"].estimate.value == 2
    assert found["good_share"].estimate.value == pytest.approx(0.6)


def test_without_good_samples_there_are_no_modes():
    found = measured(POINTS + 50)
    assert found["mode_count"].estimate == Estimate(0, 0, 3)
    assert found["good_share"].estimate.value == 0


def test_points_are_evaluated_by_their_own_modes():
    experiment = tiny_points()
    network = network_of(experiment)
    assert network == NearestMode(points.ring().centres, 3 * 0.02)
    floor = Evaluator.of(experiment).floor(200)
    # Within three standard deviations of a centre lie 1 - exp(-9 / 2) of a Gaussian in the plane.
    share = floor["good_share"].estimate
    assert share.low < 1 - np.exp(-4.5) < share.high
    assert floor["mode_count"].estimate.value == 8


def test_the_hash_tells_modes_apart():
    assert NETWORK.sha256() == NearestMode(NETWORK.centres, 0.5).sha256()
    assert NETWORK.sha256() != NearestMode(NETWORK.centres, 0.6).sha256()


@pytest.mark.parametrize("centres", [(), ((1.0, 2.0, 3.0),)])
def test_centres_are_points_in_the_plane(centres):
    with pytest.raises(RequestError, match=r"NearestMode\.centres = "):
        NearestMode(centres, 1.0)


def test_images_are_refused():
    right = r"nearest-mode take samples of shape \[count, 2\]"
    with pytest.raises(RequestError, match=right + r", not type float32, shape \(5, 8, 8, 1\)"):
        NETWORK.extract(np.zeros((5, 8, 8, 1), np.float32))
