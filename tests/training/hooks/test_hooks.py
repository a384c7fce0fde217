"""Hooks act at the right steps and in the right order, and a crash in one loses nothing."""

from contextlib import contextmanager

import jax
import numpy as np
import pytest

from gan_jax import features, runs
from gan_jax.evaluation import references
from gan_jax.guard import Guard
from gan_jax.training.hooks import Hook, divergence, rollbacks, scores, summary
from gan_jax.training.hooks import checkpoints as saving
from gan_jax.training.hooks import metrics as lines
from gan_jax.training.hooks import pictures as shown
from gan_jax.training.hooks import progress as bar
from gan_jax.training.loop import steps_until_due
from gan_jax.training.outcome import Outcome
from gan_jax.training.train import train
from tests.states import assert_same_bits
from tests.tiny import tiny, tiny_points
from tests.tiny_features import blocks
from tests.training.test_parallel_seeds import poisoned

FIRST_OF_PARAMETERS = "step {}: first parameter {}\n"


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    """A cache folder of these tests' own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(references.platformdirs, "user_cache_path", lambda name: folder / name)
        yield


class Counting(Hook):
    """Notes when it acts, for which seeds, and whether there are states."""

    def __init__(self, *every):
        self.every = every
        self.calls = []

    def act(self, moment):
        seeds = [run.experiment.seed for run in moment.runs]
        self.calls.append((moment.step, seeds, moment.states is not None))


class Noting(Hook):
    """Writes a file for each run and step, as a user's hook may."""

    every = (3,)

    def act(self, moment):
        for run in moment.runs:
            first = np.asarray(jax.tree.leaves(moment.state(run).generator.params)[0]).sum()
            text = FIRST_OF_PARAMETERS.format(moment.step, first)
            (run.directory.path / f"note_{moment.step}.txt").write_text(text)


def everything(**changes):
    """The tiny experiment with all that has a hook; all but the ends are due at step 6."""
    fields = {"ema_decay": 0.5, "guard": Guard(), "sample_every": 6, "save_every": 6}
    fields |= {"features": features.function(blocks), "evaluate_every": 6, "evaluate_samples": 50}
    return tiny(**fields | changes)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, cache):
    """A run of `everything` in one go."""
    workdir = tmp_path_factory.mktemp("uninterrupted") / "run"
    assert train(everything(), workdir, hooks=[Noting()]) is Outcome.FINISHED
    return workdir


def assert_same_files(first, second):
    """Checks that two runs hold the same states, lines, pictures and notes."""
    for step in ("latest", "best"):
        assert_same_bits(runs.load(first, step).state, runs.load(second, step).state)
    kept = ("*.jsonl", "samples/*", "note_*.txt", "best/*")
    names, others = (
        sorted(path.relative_to(folder) for each in kept for path in folder.glob(each))
        for folder in (first, second)
    )
    assert names == others
    for name in names:
        if (first / name).is_file():
            assert (first / name).read_bytes() == (second / name).read_bytes(), name


@pytest.mark.parametrize("seeds", [None, (0, 3)])
def test_a_users_hook_acts_at_its_steps_and_the_last(tmp_path, seeds):
    seldom, always = Counting(4, 7), Counting()
    train(tiny_points(steps=13), tmp_path / "run", seeds=seeds, hooks=[seldom, always])
    own = [0] if seeds is None else [0, 3]
    assert seldom.calls == [(step, own, True) for step in (4, 7, 8, 12, 13)]
    steps = [step for step, _, _ in always.calls]
    ends = {*range(3, 13, 3), *range(5, 13, 5), *range(6, 13, 6), 4, 7, 8, 12, 13}  # of calls
    assert ends <= set(steps) and steps == sorted(set(steps))
    for step, found, has_states in always.calls:
        assert found == own
        # States are copied only where a hook needs them, such as a picture or a checkpoint.
        assert has_states == (step in (4, 5, 6, 7, 8, 10, 12, 13))


def test_a_hook_no_longer_sees_a_run_that_has_diverged(tmp_path, monkeypatch):
    poisoned(monkeypatch, 1)  # at step 7
    hook = Counting(2)
    train(tiny(log_every=2), tmp_path / "runs", seeds=(0, 1), hooks=[hook])
    both = [(step, [0, 1], True) for step in (2, 4, 6)]
    assert hook.calls == both + [(step, [0], True) for step in (8, 10, 12)]


def all_hooks():
    """The hooks of `everything`, in the order in which they are documented to act."""
    early = [rollbacks.Rollbacks, lines.Metrics, bar.Progress, divergence.FiniteParameters]
    late = [saving.Checkpoints, saving.BestCheckpoint, shown.FinalPictures, summary.Summary]
    return [*early, shown.Pictures, scores.Scores, Noting, *late]


def test_hooks_act_in_the_documented_order(tmp_path, monkeypatch):
    acted = []

    def recording(hook, act):
        return lambda self, moment: acted.append((moment.step, hook)) or act(self, moment)

    for hook in all_hooks():
        monkeypatch.setattr(hook, "act", recording(hook, hook.act))
    train(everything(steps=9), tmp_path / "run", hooks=[Noting()])
    at = {step: [hook for found, hook in acted if found == step] for step, _ in acted}
    assert at[3] == [rollbacks.Rollbacks, lines.Metrics, bar.Progress, Noting]
    assert at[6] == all_hooks()[:-2]
    assert at[9] == all_hooks()
    steps = [step for step, _ in acted]
    assert steps == sorted(steps)


@pytest.mark.slow
def test_crashes_before_each_hook_and_resumed_equals_uninterrupted(
    uninterrupted, tmp_path, monkeypatch
):
    def crashing(act):
        def crash_from_step_6(self, moment):
            if moment.step >= 6:
                raise KeyboardInterrupt
            act(self, moment)

        return crash_from_step_6

    for hook in all_hooks()[:-1]:  # before the last one, all is on disk
        with monkeypatch.context() as patch:
            patch.setattr(hook, "act", crashing(hook.act))
            with pytest.raises(KeyboardInterrupt):
                train(everything(), tmp_path / "run", hooks=[Noting()])
    assert train(everything(), tmp_path / "run", hooks=[Noting()]) is Outcome.FINISHED
    assert_same_files(uninterrupted, tmp_path / "run")


def test_stopped_after_some_steps_and_resumed_equals_uninterrupted(
    uninterrupted, tmp_path, monkeypatch
):
    @contextmanager
    def at_once():
        yield lambda: True

    with monkeypatch.context() as patch:
        patch.setattr("gan_jax.training.train.stop_signals", at_once)
        for _ in range(2):
            stopped = train(everything(), tmp_path / "run", hooks=[Noting()])
            assert stopped is Outcome.STOPPED
    assert train(everything(), tmp_path / "run", hooks=[Noting()]) is Outcome.FINISHED
    assert_same_files(uninterrupted, tmp_path / "run")


def test_no_call_runs_past_a_step_at_which_a_hook_is_due():
    hooks = [Counting(4, 10), Counting(), Counting(25)]
    ends, step = [], 0
    while step < 27:
        step += steps_until_due(hooks, step, last_step=27)
        ends.append(step)
    assert ends == [4, 8, 10, 12, 16, 20, 24, 25, 27]
