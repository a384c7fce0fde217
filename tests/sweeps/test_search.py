"""Searches: what Optuna proposes is trained, judged, and not lost."""

import os
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from gan_jax.common.errors import RequestError
from gan_jax.evaluation.during_training import final_score
from gan_jax.runs.serialisation import load_experiment
from gan_jax.sweeps import grid, plan, search
from gan_jax.sweeps.plan import SweepDirectory
from tests.tiny import tiny

FILE = Path(__file__).parents[1] / "sweep_experiment.py"
RANGES = [grid.parse_range("generator_optimizer.learning_rate=log:1e-4:1e-1")]


def searched(directory, trials, axes=(), experiment=None):
    said = []
    space = search.Space(experiment or load_experiment(FILE), axes, RANGES, (0, 1), FILE)
    result = search.search(directory, space, trials, "map", said.append)
    return result, said


@pytest.mark.slow
def test_proposals_are_configurations_and_the_best_is_said(tmp_path):
    directory = SweepDirectory(tmp_path / "search")
    axes = [grid.parse_grid("update_order=simultaneous,alternating", FILE)]
    result, said = searched(directory, 3, axes)
    assert result == (False, (), False)
    whole = plan.read(directory)
    scores = {
        name: [final_score(run, each) for run, each in whole.runs(directory, name).items()]
        for name in whole.configurations
    }
    assert 1 <= len(scores) <= 3
    best = min(scores, key=lambda name: sum(scores[name]) / 2)
    chosen = whole.configurations[best]
    assert f"learning_rate={chosen.generator_optimizer.learning_rate!r}" in best
    assert said[-1].startswith(f"best frechet_distance {sum(scores[best]) / 2:.4g}: ")
    assert f"update_order={chosen.update_order}" in said[-1]
    # More trials go on from there; those that are done are not trained again.
    _, said = searched(directory, 3, axes)
    assert len(said) == 1


@pytest.mark.slow
def test_an_interrupted_search_goes_on_with_the_same_proposals(tmp_path, monkeypatch):
    @contextmanager
    def at_once():
        yield lambda: True

    whole = SweepDirectory(tmp_path / "whole")
    searched(whole, 2)
    parts = SweepDirectory(tmp_path / "parts")
    with monkeypatch.context() as patch:
        patch.setattr("gan_jax.training.train.stop_signals", at_once)
        assert searched(parts, 2)[0].unfinished
    searched(parts, 2)
    assert list(plan.read(parts).configurations) == list(plan.read(whole).configurations)


def test_an_experiment_that_is_not_evaluated_cannot_be_searched(tmp_path):
    with pytest.raises(RequestError, match="give --evaluate-every"):
        searched(SweepDirectory(tmp_path / "search"), 1, experiment=tiny())
    assert not (tmp_path / "search").exists()


def test_a_missing_optuna_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(RequestError, match="pip install 'gan_jax"):
        searched(SweepDirectory(tmp_path / "search"), 1)


@pytest.mark.slow
def test_other_choices_than_before_are_refused(tmp_path):
    directory = SweepDirectory(tmp_path / "search")
    searched(directory, 1, [grid.parse_grid("batch_size=4,8", FILE)])
    with pytest.raises(RequestError, match="had other choices"):
        searched(directory, 2, [grid.parse_grid("batch_size=4,16", FILE)])


@pytest.mark.usefixtures("in_time")
def test_a_fifo_in_place_of_the_record_is_refused(tmp_path):
    directory = SweepDirectory(tmp_path / "search")
    plan.prepare(directory, plan.Sweep({}, (0, 1), FILE))
    os.mkfifo(directory.path / search.STORAGE)
    with pytest.raises(RequestError, match=r"optuna\.log is a FIFO, not a regular file"):
        searched(directory, 1)
