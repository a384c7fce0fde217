"""Steps that are not finite: skipped, counted, and in the end undone."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import losses, runs
from gan_jax.common.errors import RequestError
from gan_jax.guard import Guard
from gan_jax.training.outcome import DivergedError
from gan_jax.training.train import train
from tests.tiny import init, tiny_points, update


@dataclasses.dataclass(frozen=True)
class Poisoned(losses.NonSaturating):
    """A loss that is NaN while the mean of real logits lies above a bound."""

    bound: float = 0.0

    def discriminator(self, real_logits, fake_logits):
        """Returns the loss, or NaN."""
        bad = real_logits.mean() > self.bound
        return jnp.where(bad, jnp.nan, super().discriminator(real_logits, fake_logits))


ALWAYS = Poisoned(bound=-1e9)


def after_each_step(experiment, batch, count):
    """The initial state, and that after each of so many steps."""
    states = [init(experiment, 0)]
    for _ in range(count):
        states.append(update(experiment, states[-1], batch)[0])
    return states


def equal(first, second):
    jax.tree.map(np.testing.assert_array_equal, first, second)


def test_a_step_that_is_not_finite_changes_nothing_but_the_counts():
    experiment = tiny_points(loss=ALWAYS, guard=Guard(), ema_decay=0.5)
    state = init(experiment, 0)
    batch = experiment.data.batch(0, 0, 16)
    for count in (1, 2):
        new, metrics = update(experiment, state, batch)
        for field in ("generator", "discriminator", "ema"):
            equal(getattr(new, field), getattr(state, field))
        assert int(new.step) == count
        assert int(new.guard.skipped) == int(metrics["skipped"]) == count
        assert int(new.guard.in_a_row) == count
        state = new


def test_a_finite_step_is_that_of_a_run_without_guard_and_ends_the_row():
    plain = tiny_points(ema_decay=0.5)
    guarded = dataclasses.replace(plain, guard=Guard())
    state = init(plain, 0)
    batch = plain.data.batch(0, 0, 16)
    expected, _ = update(plain, state, batch)
    start = init(guarded, 0)
    counted = start.guard._replace(skipped=jnp.int32(7), in_a_row=jnp.int32(3))
    start = start.replace(guard=counted)
    new, _ = update(guarded, start, batch)
    for field in ("generator", "discriminator", "ema"):
        equal(getattr(new, field), getattr(expected, field))
    assert int(new.guard.skipped) == 7
    assert int(new.guard.in_a_row) == 0


def test_after_a_rollback_steps_are_smaller():
    experiment = tiny_points(guard=Guard(learning_rate=0.25))
    state = init(experiment, 0)
    batch = experiment.data.batch(0, 0, 16)
    whole, _ = update(experiment, state, batch)
    slowed = state.replace(guard=state.guard._replace(returns=jnp.int32(2)))
    smaller, _ = update(experiment, slowed, batch)
    for player in ("generator", "discriminator"):
        old = getattr(state, player).params
        jax.tree.map(
            lambda a, b, c: np.testing.assert_allclose(c - a, (b - a) / 16, rtol=1e-2, atol=1e-8),
            old,
            getattr(whole, player).params,
            getattr(smaller, player).params,
        )


def run_of(experiment, workdir):
    train(experiment, workdir)
    run = runs.load(workdir)
    lines = [json.loads(line) for line in run.directory.metrics.read_text().splitlines()]
    return run, lines


def test_after_many_steps_in_a_row_training_goes_back_to_a_snapshot():
    experiment = tiny_points(guard=Guard(after=3, every=4), ema_decay=0.5)
    poisoned = dataclasses.replace(experiment, loss=ALWAYS)
    batch = experiment.data.batch(0, 0, 16)
    *_, state = states = after_each_step(experiment, batch, 6)
    for _ in range(3):
        equal(state.generator, states[6].generator)
        state, metrics = update(poisoned, state, batch)
    for field in ("generator", "discriminator", "ema"):
        # States 0 and 4 are snapshots; state 8 is not, as no finite step was made from it.
        equal(getattr(state, field), getattr(states[4], field))
    assert int(state.step) == 9
    assert int(metrics["rollbacks"]) == int(state.guard.returns) == 1
    assert int(state.guard.skipped) == 3 and int(state.guard.in_a_row) == 0
    expected = jax.random.fold_in(states[0].key, 1)
    equal(jax.random.key_data(state.key), jax.random.key_data(expected))


def test_a_state_that_fails_at_once_does_not_become_a_snapshot():
    experiment = tiny_points(guard=Guard(after=1, every=4))
    batch = experiment.data.batch(0, 0, 16)
    *_, state = states = after_each_step(experiment, batch, 4)
    state, _ = update(dataclasses.replace(experiment, loss=ALWAYS), state, batch)
    equal(state.generator, states[0].generator)


def test_rollbacks_are_reported_and_counted(tmp_path):
    experiment = tiny_points(loss=ALWAYS, guard=Guard(after=4, learning_rate=0.5))
    run, lines = run_of(experiment, tmp_path / "run")
    log = run.directory.log.read_text()
    assert "the guard has rolled back 3 times, each time after 4 steps in a row" in log
    assert "learning rates are now multiplied by 0.125" in log
    assert "the guard skipped 12 of 12 steps" in log
    assert int(run.state.guard.returns) == lines[-1]["rollbacks"] == 3
    assert int(run.state.guard.skipped) == lines[-1]["skipped"] == 12
    assert "discriminator_loss" not in lines[-1]  # which is not finite
    equal(run.state.generator.params, init(experiment, 0).generator.params)


def test_a_run_that_is_extended_is_the_longer_run(tmp_path):
    """Rollbacks do not depend on when a run was saved."""
    experiment = tiny_points(loss=ALWAYS, guard=Guard(after=4))
    straight, _ = run_of(experiment, tmp_path / "straight")
    for steps in (3, 7, 12):
        extended, _ = run_of(dataclasses.replace(experiment, steps=steps), tmp_path / "extended")
    equal(jax.random.key_data(straight.state.key), jax.random.key_data(extended.state.key))
    equal(straight.state.replace(key=None), extended.state.replace(key=None))


def test_without_a_guard_the_same_run_ends(tmp_path):
    with pytest.raises(DivergedError):
        train(tiny_points(loss=ALWAYS), tmp_path / "run")


def test_a_row_that_is_short_is_not_undone(tmp_path):
    experiment = tiny_points(loss=ALWAYS, guard=Guard(after=100))
    run, _ = run_of(experiment, tmp_path / "run")
    assert int(run.state.guard.returns) == 0
    assert int(run.state.guard.in_a_row) == 12


@pytest.mark.parametrize(
    "wrong",
    [{"after": 0}, {"every": 0}, {"learning_rate": 0.0}, {"learning_rate": 1.5}, {"after": True}],
)
def test_wrong_fields_are_refused(wrong):
    with pytest.raises(RequestError, match=rf"Guard\.{next(iter(wrong))} = "):
        Guard(**wrong)


def test_a_guard_is_asked_for():
    with pytest.raises(RequestError, match=r"Experiment\.guard = 10"):
        tiny_points(guard=10)
