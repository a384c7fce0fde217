import numpy as np
import pytest

from gan_jax.evaluation import feature_sets
from gan_jax.evaluation.feature_sets import gather
from gan_jax.evaluation.measure import Sides, measure, unavailable
from gan_jax.features.network import Extracted
from gan_jax.metrics import frechet, neighbours
from gan_jax.metrics.names import METRICS, OF_ONE_KIND


def extracted(count, seed, classes=4):
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, 3)).astype(np.float32)
    odds = np.exp(random.normal(size=(count, classes))).astype(np.float32)
    return Extracted(features, odds / odds.sum(1, keepdims=True))


def feature_set(count, seed):
    return gather([extracted(count, seed)])


GENERATED, TRAINING, HELD_OUT = feature_set(300, 0), feature_set(200, 1), feature_set(100, 2)
INTENDED = np.arange(300) % 4

RECOGNITION = {"gan_train", "gan_test", "accuracy", "accuracy_gain"}  # of `gan-jax recognise`
OF_OTHERS = set(OF_ONE_KIND) - RECOGNITION


def test_everything_is_measured_where_everything_is_there():
    measured = measure(Sides(GENERATED, TRAINING, HELD_OUT, INTENDED))
    assert set(measured) == set(METRICS) - set(OF_ONE_KIND)
    estimate = frechet.estimate(GENERATED.kept.features, TRAINING.moments)
    assert measured["frechet_distance"] == (estimate, 300, 200)
    labels = GENERATED.kept.probabilities.argmax(1)
    assert measured["intended_accuracy"].estimate.value == (labels == INTENDED).mean()


def test_both_sides_are_of_equal_size_where_that_matters():
    measured = measure(Sides(GENERATED, TRAINING, HELD_OUT, INTENDED))
    for name in ("kernel_distance", "precision", "recall", "density", "coverage"):
        assert measured[name][1:] == (200, 200)
    assert measured["score_ratio"][1:] == (100, 100)
    precision, _ = neighbours.precision_recall(
        GENERATED.kept.features[:200], TRAINING.kept.features
    )
    assert measured["precision"].estimate == precision


def test_samples_that_copy_a_training_example_are_memorised():
    copies = gather([TRAINING.first(150)])
    sides = Sides(copies, TRAINING, HELD_OUT)
    assert measure(sides, ["memorisation"])["memorisation"].estimate.value > 0.9


@pytest.mark.parametrize(
    ("sides", "missing"),
    [
        (Sides(GENERATED, TRAINING, HELD_OUT), {"intended_accuracy"}),
        (
            Sides(GENERATED, TRAINING, None, INTENDED),
            {"score_ratio", "memorisation"},
        ),
        (
            Sides(gather([Extracted(GENERATED.kept.features, None)]), TRAINING, HELD_OUT),
            {
                "intended_accuracy",
                "classifier_score",
                "score_ratio",
                "mode_count",
                "class_divergence",
            },
        ),
    ],
)
def test_metrics_that_lack_something_are_left_out_and_named(sides, missing):
    assert set(unavailable(sides)) == missing | OF_OTHERS
    assert set(measure(sides)) == set(METRICS) - missing - set(OF_ONE_KIND)


@pytest.mark.parametrize("few", ["samples", "real examples"])
@pytest.mark.parametrize(
    ("count", "missing"),
    [
        (30, set()),
        (29, {"density", "coverage"}),
        (19, {"density", "coverage", "precision", "recall"}),
        (3, {"density", "coverage", "precision", "recall", "kernel_distance"}),
    ],
)
def test_metrics_of_too_few_examples_are_left_out_and_named(few, count, missing):
    enough, generated = feature_set(40, 1), feature_set(40, 0)
    sides = Sides(generated, feature_set(count, 1), enough)
    if few == "samples":
        sides = Sides(feature_set(count, 0), enough, enough)
    found = unavailable(sides)
    assert set(found) == missing | {"intended_accuracy", *OF_OTHERS}
    assert set(measure(sides)) == set(METRICS) - missing - {"intended_accuracy", *OF_ONE_KIND}


def test_only_what_is_asked_for_is_measured():
    names = ["recall", "mode_count"]
    assert list(measure(Sides(GENERATED, TRAINING), names)) == names


def test_of_many_samples_some_are_kept_and_all_are_in_the_distance(monkeypatch):
    parts = [extracted(100, seed) for seed in range(5)]
    whole = measure(Sides(gather(parts), TRAINING))
    monkeypatch.setattr(feature_sets, "KEPT_BYTES", 150 * 4 * (3 + 4))
    some = gather(parts)
    assert len(some.kept.features) == len(some.kept.probabilities) == 150
    measured = measure(Sides(some, TRAINING))
    estimate, samples, real = measured["frechet_distance"]
    assert (samples, real) == (500, 200)
    exact = whole["frechet_distance"].estimate
    assert estimate.value == exact.value
    assert estimate.high - estimate.value == pytest.approx(exact.high - exact.value, rel=0.3)
    assert measured["classifier_score"].samples == 150
    assert measured["precision"][1:] == (150, 150)
