"""Calls of about equal length, however the steps until something is due divide."""

import pytest

from gan_jax.training import loop, pacing
from gan_jax.training.pacing import Clock
from gan_jax.training.train import train
from tests.tiny import tiny_points


def test_calls_split_the_steps_until_something_is_due_evenly(tmp_path, monkeypatch):
    counts, run_steps = [], loop.run_steps

    def counted(*arguments):
        counts.append(int(arguments[-1]))
        return run_steps(*arguments)

    monkeypatch.setattr(loop, "run_steps", counted)
    monkeypatch.setattr(
        pacing, "SECONDS_PER_CALL", 1e6
    )  # so that only the limit of 64 batches binds
    every = {"log_every": 100, "sample_every": 100, "save_every": 100}
    train(tiny_points(steps=200, **every), tmp_path)
    assert counts == [1, 1, 49, 49, 50, 50]  # the first two, before it is known how long one takes


@pytest.mark.parametrize("due, count", [(20, 10), (10, 10), (11, 11), (14, 7), (2, 2)])
def test_a_short_rest_joins_the_other_calls(due, count):
    measured = Clock()
    measured.steps_per_second = 9 / pacing.SECONDS_PER_CALL
    assert measured.next_count(due, limit=20) == count


def test_before_the_speed_is_known_calls_hold_one_step():
    assert Clock().next_count(20, limit=20) == 1
