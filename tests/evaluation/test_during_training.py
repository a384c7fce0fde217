import itertools
import shutil
from contextlib import contextmanager

import pytest

from gan_jax import features, runs
from gan_jax.common.errors import RequestError
from gan_jax.evaluation import references
from gan_jax.evaluation.during_training import CHOOSING_KEY, MEASURED
from gan_jax.evaluation.evaluator import Evaluator
from gan_jax.evaluation.measure import Measured
from gan_jax.evaluation.of_runs import evaluate_runs
from gan_jax.evaluation.rows import read_rows
from gan_jax.metrics.estimate import Estimate
from gan_jax.metrics.names import OF_ONE_KIND
from gan_jax.runs import checkpoints
from gan_jax.training.hooks.checkpoints import BestCheckpoint
from gan_jax.training.hooks.scores import Scores
from gan_jax.training.outcome import Outcome
from gan_jax.training.train import train
from tests.states import assert_same_bits
from tests.tiny import tiny
from tests.tiny_features import blocks

NETWORK = features.function(blocks)


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    """A cache folder of these tests' own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(references.platformdirs, "user_cache_path", lambda name: folder / name)
        yield


def evaluating(**changes):
    """The tiny experiment, evaluated at steps 4, 8 and 12; only the newest checkpoint stays."""
    fields = {"ema_decay": 0.5, "features": NETWORK, "evaluate_every": 4, "evaluate_samples": 50}
    return tiny(**fields | {"keep_checkpoints": 1} | changes)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, cache):
    """A run of 12 steps in one go."""
    workdir = tmp_path_factory.mktemp("uninterrupted") / "run"
    assert train(evaluating(), workdir) is Outcome.FINISHED
    return workdir


def assert_same_scores(first, second):
    """Checks that two runs hold the same state, the same scores, and the same best checkpoint."""
    assert_same_bits(runs.load(first).state, runs.load(second).state)
    assert (first / "evaluation.jsonl").read_bytes() == (second / "evaluation.jsonl").read_bytes()
    assert names(first / "best") == names(second / "best")
    assert_same_bits(runs.load(first, "best").state, runs.load(second, "best").state)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def values(workdir, metric):
    """The values of a metric by step."""
    rows = read_rows(workdir / "evaluation.jsonl")
    return {row["step"]: row["value"] for row in rows if row["metric"] == metric}


def scripted(monkeypatch, metric, by_step):
    """Makes every evaluation find the value of its step; None is one that fails."""

    def scores(self, state, *_, **__):
        value = by_step[int(state.step)]
        if value is None:
            raise RequestError("too few samples")
        return {metric: Measured(Estimate(value, value, value), 50, 2000)}

    monkeypatch.setattr(Evaluator, "scores", scores)


def test_evaluating_does_not_change_what_is_trained(uninterrupted, tmp_path):
    train(tiny(ema_decay=0.5), tmp_path / "run")
    assert_same_bits(runs.load(tmp_path / "run").state, runs.load(uninterrupted).state)
    assert not (tmp_path / "run" / "best").exists()
    assert not (tmp_path / "run" / "evaluation.jsonl").exists()


def test_scores_are_those_of_an_evaluation_afterwards(uninterrupted, tmp_path):
    rows = read_rows(uninterrupted / "evaluation.jsonl")
    assert {(row["step"], row["metric"]) for row in rows} == {
        (step, name)
        for step in (4, 8, 12)
        for name in MEASURED
        if name not in ("score_ratio", *OF_ONE_KIND)  # which these data do not have
    }
    copy = shutil.copytree(uninterrupted, tmp_path / "run")
    afterwards = evaluate_runs([copy], 50, key=CHOOSING_KEY, announce=lambda _: None).rows
    last = [row for row in rows if row["step"] == 12]
    assert [row for row in afterwards if row in last] == last


@pytest.mark.slow
def test_the_mean_over_seeds_is_said_at_the_end(uninterrupted, tmp_path, capsys):
    train(evaluating(), tmp_path / "runs", seeds=(0, 1))
    found = [values(tmp_path / "runs" / f"seed_{s}", "frechet_distance")[12] for s in (0, 1)]
    mean = f"Frechet distance {sum(found) / 2:.3g} ("
    *_, scores, _pictures = capsys.readouterr().err.splitlines()
    assert scores.startswith(mean)
    assert scores.endswith("mean over 2 seeds, 95 % interval")
    assert_same_scores(uninterrupted, tmp_path / "runs" / "seed_0")


def test_best_holds_the_step_with_the_best_value(uninterrupted):
    by_step = values(uninterrupted, "frechet_distance")
    best = min(by_step, key=by_step.get)
    assert names(uninterrupted / "best") == [str(best)]
    assert int(runs.load(uninterrupted, "best").state.step) == best


@pytest.mark.parametrize(
    ("metric", "by_step", "best"),
    [
        ("frechet_distance", {4: 3.0, 8: 1.0, 12: 2.0}, 8),
        ("frechet_distance", {4: 1.0, 8: 3.0, 12: 2.0}, 4),
        ("precision", {4: 0.3, 8: 0.9, 12: 0.1}, 8),
        ("precision", {4: 0.3, 8: 0.1, 12: 0.9}, 12),
        ("mode_count", {4: 7.0, 8: 7.0, 12: 6.0}, 4),
        ("class_divergence", {4: float("inf"), 8: 2.0, 12: 3.0}, 8),
    ],
)
def test_which_way_is_better_depends_on_the_metric(tmp_path, monkeypatch, metric, by_step, best):
    scripted(monkeypatch, metric, by_step)
    train(evaluating(best_metric=metric), tmp_path / "run")
    assert names(tmp_path / "run" / "best") == [str(best)]
    assert checkpoints.steps(tmp_path / "run" / "checkpoints") == [12]


@pytest.mark.slow
def test_stopped_after_every_step_and_resumed_equals_uninterrupted(
    uninterrupted, tmp_path, monkeypatch
):
    @contextmanager
    def at_once():
        yield lambda: True

    monkeypatch.setattr("gan_jax.training.train.stop_signals", at_once)
    outcomes = [train(evaluating(), tmp_path / "run") for _ in range(12)]
    assert outcomes == [Outcome.STOPPED] * 11 + [Outcome.FINISHED]
    assert_same_scores(uninterrupted, tmp_path / "run")


def test_extending_a_run_equals_a_long_run(uninterrupted, tmp_path):
    train(evaluating(steps=8), tmp_path / "run")
    train(evaluating(), tmp_path / "run")
    assert_same_scores(uninterrupted, tmp_path / "run")


@pytest.mark.parametrize("hook", [Scores, BestCheckpoint])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_around_the_last_evaluation_and_resumed_equals_uninterrupted(
    uninterrupted, tmp_path, monkeypatch, hook, moment
):
    act, calls = hook.act, itertools.count(1)

    def crashing(*arguments):
        crash = next(calls) == 3
        if not (crash and moment == "before"):
            act(*arguments)
        if crash:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(hook, "act", crashing)
        with pytest.raises(KeyboardInterrupt):
            train(evaluating(), tmp_path / "run")
    train(evaluating(), tmp_path / "run")
    assert_same_scores(uninterrupted, tmp_path / "run")


def test_an_evaluation_that_fails_does_not_stop_the_training(tmp_path, monkeypatch):
    scripted(monkeypatch, "frechet_distance", {4: 2.0, 8: None, 12: 3.0})
    assert train(evaluating(), tmp_path / "run") is Outcome.FINISHED
    assert "step 8 is not evaluated: too few samples" in (tmp_path / "run" / "log.txt").read_text()
    assert values(tmp_path / "run", "frechet_distance") == {4: 2.0, 12: 3.0}
    assert names(tmp_path / "run" / "best") == ["4"]


def test_features_that_changed_under_a_run_are_refused(tmp_path, monkeypatch):
    train(evaluating(steps=8), tmp_path / "run")
    best = names(tmp_path / "run" / "best")
    monkeypatch.setattr(features.Function, "sha256", lambda self: "0" * 64)
    with pytest.raises(RequestError, match=r"sha256 of the features: .* -> '000"):
        train(evaluating(), tmp_path / "run")
    assert names(tmp_path / "run" / "best") == best


def test_a_metric_that_is_misspelled_is_refused_with_the_nearest():
    with pytest.raises(RequestError, match="did you mean 'frechet_distance'"):
        evaluating(best_metric="frechet_distanse")


def test_a_best_metric_that_cannot_be_measured_is_refused_before_training(tmp_path):
    with pytest.raises(RequestError, match="best_metric = 'score_ratio': needs held-out"):
        train(evaluating(best_metric="score_ratio"), tmp_path / "run")
    with pytest.raises(
        RequestError, match=r"'density': needs at least 30 samples .* of 29 samples"
    ):
        train(evaluating(best_metric="density", evaluate_samples=29), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def delete(path):
    path.unlink()


def empty(path):
    path.write_text("")


def spoil(path):
    """Spoils the lines of the best metric."""
    path.write_text(path.read_text().replace('"metric": "frechet', '"metric: "frechet'))


@pytest.mark.parametrize("damage", [delete, empty, spoil])
def test_lost_scores_of_the_best_checkpoint_are_measured_again(
    tmp_path, monkeypatch, damage, capsys
):
    def measure(self, state, *_, **__):
        value = abs(4 - int(state.step)) + 1.0  # best at step 4
        return {"frechet_distance": Measured(Estimate(value, value, value), 50, 2000)}

    monkeypatch.setattr(Evaluator, "scores", measure)
    workdir = tmp_path / "run"
    train(evaluating(steps=8), workdir)
    assert names(workdir / "best") == ["4"]
    damage(workdir / "evaluation.jsonl")
    train(evaluating(), workdir)
    assert names(workdir / "best") == ["4"]
    assert values(workdir, "frechet_distance") == {4: 1.0, 12: 9.0}
    said = capsys.readouterr().err
    assert "evaluation.jsonl has no frechet_distance of best/4: measured again" in said
    assert "evaluation.jsonl lacks 2 of the 2 lines of every 4 steps up to step 8" in said


def test_a_best_checkpoint_that_cannot_be_measured_again_is_kept(tmp_path, monkeypatch, capsys):
    scripted(monkeypatch, "frechet_distance", {4: 1.0, 8: 2.0, 12: 3.0})
    workdir = tmp_path / "run"
    train(evaluating(steps=8), workdir)
    (workdir / "evaluation.jsonl").unlink()
    scripted(monkeypatch, "frechet_distance", {4: None, 8: 2.0, 12: 3.0})
    train(evaluating(), workdir)
    assert names(workdir / "best") == ["12", "4"]
    assert "cannot be measured again, so it is kept: too few samples" in capsys.readouterr().err


def test_other_files_in_the_folder_of_the_best_checkpoint_stay(uninterrupted, tmp_path):
    copy = shutil.copytree(uninterrupted, tmp_path / "run")
    (copy / "best" / ".DS_Store").touch()
    (copy / "best" / "notes").mkdir()
    train(evaluating(steps=16), copy)
    assert {".DS_Store", "notes"} < set(names(copy / "best"))
    assert len(checkpoints.steps(copy / "best")) == 1


def test_a_best_checkpoint_under_another_step_gets_its_name_back(uninterrupted, tmp_path, capsys):
    copy = shutil.copytree(uninterrupted, tmp_path / "run")
    (best,) = names(copy / "best")
    (copy / "best" / best).rename(copy / "best" / "999")
    train(evaluating(), copy)
    assert names(copy / "best") == [best]
    assert f"999 holds the state of step {best}: renamed to {best}" in capsys.readouterr().err
