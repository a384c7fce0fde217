"""Comparisons of configurations, against statistics that are computed otherwise."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from scipy import stats

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.evaluation.compare import compare
from gan_jax.reports.csv import to_csv
from gan_jax.runs import RunDirectory
from tests.tiny import tiny

EXPERIMENT = tiny()


def row(metric, value, step=12, drawn=50, parameters="raw", sha256="ab", key=0):
    return {
        "step": step,
        "parameters": parameters,
        "features": "blocks",
        "features_sha256": sha256,
        "drawn": drawn,
        "key": key,
        "metric": metric,
        "value": value,
        "low": value,
        "high": value,
    }


def configuration(path, values, metric="recall", diverged=(), experiment=EXPERIMENT, **fields):
    """A directory of seeds with these values of a metric, as training would leave it."""
    for seed, value in enumerate(values):
        directory = RunDirectory(path).of_seed(seed)
        directory.path.mkdir(parents=True)
        seeded = dataclasses.replace(experiment, seed=seed)
        runs.write_record(directory, runs.make_record(seeded, None, None))
        rows = [row(metric, 0.0, step=6), row(metric, value, **fields)]
        directory.evaluation.write_text("".join(json.dumps(line) + "\n" for line in rows))
        if seed in diverged:
            directory.divergence.write_text('{"step": 7, "reason": "nan"}\n')
    return path


GOOD, ALIKE, BAD = (0.8, 0.82, 0.81, 0.79), (0.79, 0.81, 0.8, 0.8), (0.5, 0.52, 0.51, 0.49)


def test_means_and_intervals_are_those_over_seeds(tmp_path):
    (found,) = compare([configuration(tmp_path / "a", GOOD)])[1]
    mean, deviation = np.mean(GOOD), np.std(GOOD, ddof=1)
    half_width = stats.t.ppf(0.975, 3) * deviation / 2
    assert found.mean.value == pytest.approx(mean)
    assert found.mean.low == pytest.approx(mean - half_width)
    assert found.mean.high == pytest.approx(mean + half_width)
    assert found.standard_deviation == pytest.approx(deviation)
    assert (len(found.values), found.configuration.seeds) == (4, 4)


def test_what_differs_from_the_best_is_said_and_what_does_not(tmp_path):
    paths = [
        configuration(tmp_path / name, v) for name, v in zip("abc", (ALIKE, BAD, GOOD), strict=True)
    ]
    basis, found = compare(paths)
    assert basis == ("blocks", "ab", 50, 0)
    assert [each.conclusion for each in found] == ["no difference shown", "worse", "best"]
    # Games and Howell's: the studentised range of Welch's t, here of three configurations.
    for other, values in zip(found, (ALIKE, BAD), strict=False):
        welch = stats.ttest_ind(values, GOOD, equal_var=False)
        expected = stats.studentized_range.sf(abs(welch.statistic) * 2**0.5, 3, welch.df)
        assert other.p_value == pytest.approx(expected, rel=1e-3)


def test_the_best_of_a_distance_is_the_lowest(tmp_path):
    paths = [
        configuration(tmp_path / name, v, "frechet_distance")
        for name, v in zip("ab", (GOOD, BAD), strict=True)
    ]
    assert [each.conclusion for each in compare(paths)[1]] == ["worse", "best"]


def test_seeds_that_have_diverged_are_counted_and_left_out(tmp_path):
    (found,) = compare([configuration(tmp_path / "a", (*GOOD, 0.0), diverged=(4,))])[1]
    assert (found.configuration.seeds, found.configuration.diverged, len(found.values)) == (5, 1, 4)
    assert found.mean.value == pytest.approx(np.mean(GOOD))


def test_one_seed_has_no_interval_and_no_conclusion(tmp_path):
    one, several = configuration(tmp_path / "a", (0.9,)), configuration(tmp_path / "b", GOOD)
    found = compare([one, several, configuration(tmp_path / "c", BAD)])[1]
    assert (found[0].mean, found[0].p_value, found[0].conclusion) == (None, None, "")
    assert found[1].conclusion == "best"


def test_one_seed_has_its_value_in_the_file(tmp_path):
    made = compare([configuration(tmp_path / "a", (0.9,))])
    (line,) = csv.DictReader(to_csv([made]).splitlines())
    assert (line["mean"], line["low"], line["high"]) == ("0.9", "", "")


@pytest.mark.parametrize("metric", ["recall", "memorisation"])
def test_nothing_is_best_of_one_configuration_and_no_memorisation_is(tmp_path, metric):
    (alone,) = compare([configuration(tmp_path / "a", GOOD, metric)])[1]
    assert alone.conclusion == ""
    if metric == "memorisation":
        found = compare([tmp_path / "a", configuration(tmp_path / "b", BAD, metric)])[1]
        assert [each.conclusion for each in found] == ["", ""]


def test_a_configuration_whose_seeds_were_not_all_evaluated_is_left_out_and_named(tmp_path, caplog):
    paths = [configuration(tmp_path / name, GOOD) for name in "ab"]
    RunDirectory(paths[1]).of_seed(2).evaluation.unlink()
    assert [found.configuration.path for found in compare(paths)[1]] == paths[:1]
    assert caplog.text.startswith("WARNING") and f"gan-jax evaluate {paths[1]}\n" in caplog.text
    with pytest.raises(RequestError, match=rf"not all (.|\n)*gan-jax evaluate {paths[1]}$"):
        compare(paths[1:])


@pytest.mark.parametrize("other", [{"drawn": 60}, {"sha256": "cd"}, {"key": 1}])
def test_what_was_measured_otherwise_is_not_compared(tmp_path, other):
    paths = [configuration(tmp_path / "a", GOOD), configuration(tmp_path / "b", GOOD, **other)]
    with pytest.raises(RequestError, match=r"have no measurement in common.* gan-jax evaluate"):
        compare(paths)


def test_the_file_has_a_line_for_each_metric_and_configuration(tmp_path):
    paths = [configuration(tmp_path / name, v) for name, v in zip("ab", (GOOD, BAD), strict=True)]
    first, second = csv.DictReader(to_csv([compare(paths)]).splitlines())
    assert first["directory"] == str(paths[0])
    assert (first["features_sha256"], first["drawn"]) == ("ab", "50")
    assert float(first["mean"]) == pytest.approx(np.mean(GOOD))
    assert (first["p_value"], first["conclusion"]) == ("", "best")
    assert float(second["p_value"]) < 0.001
    assert second["conclusion"] == "worse"


def test_scores_of_training_are_compared_where_there_are_no_others(tmp_path):
    path = configuration(tmp_path / "a", (0.5,), key=2**31)
    assert str(compare([path])[0]).endswith("50 samples, while training")
    evaluation = RunDirectory(path).of_seed(0).evaluation
    evaluation.write_text(evaluation.read_text() + json.dumps(row("recall", 0.6)) + "\n")
    basis, (found,) = compare([path])
    assert (basis.key, len(found.values)) == (0, 1)


def test_without_a_spread_there_is_no_conclusion(tmp_path):
    paths = [configuration(tmp_path / name, (1.0, 1.0)) for name in "ab"]
    assert [each.conclusion for each in compare(paths)[1]] == ["best", ""]


def test_a_configuration_that_is_given_twice_is_refused(tmp_path):
    path = configuration(tmp_path / "a", GOOD)
    with pytest.raises(RequestError, match="a is given twice"):
        compare([path, path])


def test_scores_with_other_held_out_examples_are_told_apart(tmp_path, caplog):
    paths = [configuration(tmp_path / name, GOOD, "score_ratio") for name in "ab"]
    for seed in range(len(GOOD)):
        with RunDirectory(paths[0]).of_seed(seed).evaluation.open("a") as file:
            newer = row("score_ratio", 0.9) | {"held_out": "10000 images"}
            file.write("".join(json.dumps(r) + "\n" for r in (newer, row("recall", 0.6))))
    (ratio, recall) = compare(paths[:1])[1]
    assert {ratio.metric, recall.metric} == {"score_ratio", "recall"}
    assert (ratio if ratio.metric == "score_ratio" else recall).values.tolist() == [0.9] * 4
    assert {each.metric for each in compare(paths)[1]} == {"recall"}
    assert "score_ratio is left out: measured with different held-out examples" in caplog.text


def test_scores_of_labels_in_equal_shares_are_left_out_with_a_warning(tmp_path, caplog):
    labelled = tiny(data=dataclasses.replace(tiny().data, labels=True))
    path = configuration(tmp_path / "a", GOOD, experiment=labelled)
    for seed in range(len(GOOD)):
        with RunDirectory(path).of_seed(seed).evaluation.open("a") as file:
            file.write(json.dumps(row("precision", 0.5) | {"labels": "as in the data"}) + "\n")
    assert [each.metric for each in compare([path])[1]] == ["precision"]
    assert "in equal shares of the labels, as earlier versions measured" in caplog.text
