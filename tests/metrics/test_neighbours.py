import math
import tracemalloc

import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.metrics import neighbours
from tests.metrics.intervals import share_covering


def distances(rows, columns) -> np.ndarray:
    return np.linalg.norm(rows[:, None] - columns[None], axis=-1)


def naive(generated, real, k) -> tuple[float, float, float, float]:
    """Precision, recall, density and coverage by the whole matrix of distances."""
    between = distances(generated, real)
    generated_radii = np.sort(distances(generated, generated))[:, k]
    real_radii = np.sort(distances(real, real))[:, k]
    near_real, near_generated = between <= real_radii, between <= generated_radii[:, None]
    return (
        near_real.any(1).mean(),
        near_generated.any(0).mean(),
        near_real.sum() / (k * len(generated)),
        near_real.any(0).mean(),
    )


def values(*pairs) -> list[float]:
    return [estimate.value for pair in pairs for estimate in pair]


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("block", [1, 1000, 2**22])
def test_values_are_those_of_the_whole_matrix_of_distances(k, block, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", block)
    random = np.random.default_rng(k)
    generated = random.standard_normal((90, 2)) * 0.8 + 0.3
    real = random.standard_normal((70, 2)) + 100
    generated += 100
    found = values(
        neighbours.precision_recall(generated, real, k),
        neighbours.density_coverage(generated, real, k),
    )
    np.testing.assert_allclose(found, naive(generated, real, k), rtol=1e-14)


def test_distant_sets_do_not_overlap():
    real = np.random.default_rng(0).standard_normal((60, 3))
    functions = neighbours.precision_recall, neighbours.density_coverage
    found = [estimate for function in functions for estimate in function(real + 100, real)]
    assert all(estimate.value == estimate.low == 0 for estimate in found)


def test_copies_are_as_good_as_real_even_where_the_mean_is_far_from_zero():
    real = np.random.default_rng(1).standard_normal((60, 3)) + 1e6
    precision, recall = neighbours.precision_recall(real[::-1], real)
    _, coverage = neighbours.density_coverage(real[::-1], real)
    assert precision.value == recall.value == coverage.value == 1


def test_collapse_to_one_mode_costs_recall_and_not_precision():
    random = np.random.default_rng(2)
    real = random.standard_normal((300, 2))
    real[::2] += 20
    generated = random.standard_normal((300, 2))
    precision, recall = neighbours.precision_recall(generated, real)
    _, coverage = neighbours.density_coverage(generated, real)
    assert precision.low > 0.8
    assert recall.high < 0.7
    assert coverage.value < 0.6


@pytest.mark.parametrize("position", range(4))
def test_intervals_cover_what_is_expected_of_as_many_samples(position):
    # There is no closed form: the truth is the mean over many draws that the intervals do not see.
    def draw(random):
        generated, real = random.standard_normal((100, 2)) * 0.7, random.standard_normal((100, 2))
        function = (neighbours.precision_recall, neighbours.density_coverage)[position // 2]
        return function(generated, real)[position % 2]

    random = np.random.default_rng(1)
    truth = np.mean([draw(random).value for _ in range(200)])
    assert 0.85 <= share_covering(truth, draw) <= 1


def test_memorisation_is_the_fraction_of_pairs_in_which_the_generated_sample_is_nearer():
    random = np.random.default_rng(3)
    training, held_out = random.standard_normal((50, 2)), random.standard_normal((30, 2))
    generated = np.vstack([training[:10], random.standard_normal((30, 2))])
    held_out[:4] = training[:4]  # ties at distance 0
    near = distances(generated, training).min(axis=1)
    real = distances(held_out, training).min(axis=1)
    difference = real[None] - near[:, None]
    expected = (difference > 0).mean() + (difference == 0).mean() / 2
    found = neighbours.memorisation(generated, training, held_out)
    assert found.value == pytest.approx(expected, rel=1e-14)


def test_copies_of_the_training_examples_are_near_1():
    random = np.random.default_rng(4)
    training, held_out = random.standard_normal((2, 200, 5))
    blurred = training + 1e-3 * random.standard_normal(training.shape)
    assert neighbours.memorisation(blurred, training, held_out).low > 0.95


def test_nothing_but_copies_on_both_sides_is_undecided():
    training = np.random.default_rng(6).standard_normal((40, 3))
    assert neighbours.memorisation(training, training, training[::-1]).value == 0.5


def test_interval_of_memorisation_covers_one_half_for_equal_distributions():
    def draw(random):
        return neighbours.memorisation(*random.standard_normal((3, 80, 2)))

    assert 0.9 <= share_covering(0.5, draw) <= 1


def test_bad_input_is_refused():
    features = np.random.default_rng(5).standard_normal((20, 2))
    with pytest.raises(RequestError, match="k = 0: must be at least 1"):
        neighbours.precision_recall(features, features, k=0)
    with pytest.raises(RequestError, match="generated holds 19 samples: at least 20"):
        neighbours.precision_recall(features[1:], features)
    with pytest.raises(RequestError, match="real holds 19 samples: at least 20"):
        neighbours.density_coverage(features, features[1:], k=3)
    with pytest.raises(RequestError, match="generated has 1, real has 2"):
        neighbours.precision_recall(features[:, :1], features)
    with pytest.raises(RequestError, match="held_out holds 0 samples"):
        neighbours.memorisation(features, features, features[:0])
    with pytest.raises(RequestError, match="training: the features of 20 of 20 samples are NaN"):
        neighbours.memorisation(features, features * math.nan, features)


@pytest.mark.parametrize("function", [neighbours.precision_recall, neighbours.density_coverage])
def test_the_distances_are_never_held_all_at_once(monkeypatch, function):
    monkeypatch.setattr(neighbours, "BLOCK", 2**16)
    features = np.random.default_rng(0).normal(size=(2000, 4))
    tracemalloc.start()
    function(features, features)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2000 * 2000 * 8 / 4
