"""Sweeps: configurations times seeds, what trains together, and how a sweep resumes."""

import dataclasses
import json
from contextlib import contextmanager

import filelock
import jax
import numpy as np
import pytest

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.data import images
from gan_jax.optimizers import Adam
from gan_jax.runs import checkpoints
from gan_jax.runs.environment import OtherDrawsError
from gan_jax.runtime import devices
from gan_jax.sweeps import plan
from gan_jax.sweeps.plan import Sweep, SweepDirectory
from gan_jax.sweeps.train import (
    STATES_FRACTION,
    check_fits,
    failures,
    forget_failures,
    jobs,
    note_failures,
    progress,
    train_sweep,
)
from gan_jax.training.train import train
from tests.states import assert_same_bits
from tests.tiny import init, tiny, tiny_points

SLOW, FAST = (tiny_points(steps=4, generator_optimizer=Adam(rate)) for rate in (1e-4, 1e-2))
OTHER = tiny_points(steps=4, latent_size=5)
CONFIGURATIONS = {"slow": SLOW, "fast": FAST, "other": OTHER}


@pytest.fixture
def directory(tmp_path):
    return SweepDirectory(tmp_path / "sweep")


def trained(directory, whole, strategy="map"):
    """Trains what is left; returns how it ended, and what was said."""
    said = []
    return train_sweep(directory, whole, strategy, said.append), said


def prepared(directory, seeds=(0, 1), **changes):
    return plan.prepare(directory, Sweep(CONFIGURATIONS | changes, seeds, None))


def test_other_random_draws_end_a_sweep_unless_they_are_accepted(directory):
    whole = plan.prepare(directory, Sweep({"other": OTHER}, (0,), None))
    run = directory.configuration("other").of_seed(0)
    train(dataclasses.replace(OTHER, steps=2), run.path)
    record = json.loads(run.config.read_text())
    record["environment"]["jax_enable_x64"] = "another"
    run.config.write_text(json.dumps(record))
    with pytest.raises(OtherDrawsError, match="--accept-changes"):
        trained(directory, whole)
    assert failures(directory, whole) == ()
    assert not train_sweep(directory, whole, "map", print, accept_changes=True).unfinished
    assert progress(directory, whole, "other").finished == 1


def test_all_that_does_not_fit_into_memory_is_named(directory, monkeypatch):
    whole = Sweep(CONFIGURATIONS, (0, 1), None)
    check_fits(directory, whole)
    monkeypatch.setattr(devices, "memory_bytes", lambda: 1000)
    with pytest.raises(RequestError) as error:
        check_fits(directory, whole)
    lines = str(error.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        f"configuration {n}" for n in CONFIGURATIONS
    ]
    assert not directory.path.exists()


@pytest.mark.slow
def test_configurations_that_share_a_program_train_together_with_the_bits_that_they_have_alone(
    directory, tmp_path
):
    whole = prepared(directory)
    assert [list(job) for job in jobs(directory, whole)] == [
        ["slow", "fast"],
        ["other"],
    ]
    result, said = trained(directory, whole)
    assert result == (False, (), False)
    assert said == ["1 of 2: slow, fast", "2 of 2: other"]
    for name, experiment in CONFIGURATIONS.items():
        for seed in (0, 1):
            found = runs.load(directory.configuration(name).of_seed(seed).path)
            alone = dataclasses.replace(experiment, seed=seed)
            assert found.experiment == alone
            train(alone, tmp_path / f"{name}_{seed}")
            assert_same_bits(found.state, runs.load(tmp_path / f"{name}_{seed}").state)


def test_what_is_finished_is_skipped_and_more_configurations_and_seeds_are_added(directory):
    few = plan.prepare(directory, Sweep({"slow": SLOW}, (0,), None))
    trained(directory, few)
    config = directory.configuration("slow").of_seed(0).config
    before = config.stat().st_mtime_ns
    whole = plan.prepare(directory, Sweep({"other": OTHER}, (0, 1), None))
    assert list(whole.configurations) == ["slow", "other"]
    assert whole.seeds == (0, 1)
    trained(directory, whole)
    assert all(progress(directory, whole, name).finished == 2 for name in whole.configurations)
    assert config.stat().st_mtime_ns == before
    assert jobs(directory, whole) == []
    assert trained(directory, whole)[1] == []


@pytest.mark.slow
def test_stopped_again_and_again_and_resumed_equals_uninterrupted(directory, tmp_path, monkeypatch):
    @contextmanager
    def at_once():
        yield lambda: True

    whole = prepared(directory, seeds=(0,))
    with monkeypatch.context() as patch:
        patch.setattr("gan_jax.training.train.stop_signals", at_once)
        stops = 0
        while trained(directory, whole)[0].unfinished:
            stops += 1
        assert stops == 6  # before the last step of each program
    uninterrupted = SweepDirectory(tmp_path / "uninterrupted")
    trained(uninterrupted, prepared(uninterrupted, seeds=(0,)))
    for name in CONFIGURATIONS:
        one, other = (
            runs.load(d.configuration(name).of_seed(0).path) for d in (directory, uninterrupted)
        )
        assert_same_bits(one.state, other.state)


@pytest.mark.slow
def test_a_configuration_that_fails_does_not_stop_the_others_and_is_tried_again_on_request(
    directory, tmp_path
):
    file = tmp_path / "images.npz"  # is not there yet
    broken = tiny(steps=4, data=images.arrays(file, 8, 1), latent_size=6)
    whole = plan.prepare(directory, Sweep({"broken": broken, "other": OTHER}, (0, 1), None))
    result, said = trained(directory, whole)
    assert result == (False, ("broken",), False)
    assert str(file) in said[1]
    note = json.loads(directory.configuration("broken").failure.read_text())
    assert note["reason"].startswith("RequestError")
    assert "Traceback" in note["traceback"]
    assert progress(directory, whole, "other").finished == 2
    np.savez(file, images=np.zeros((20, 8, 8, 1), np.uint8))
    assert trained(directory, whole) == (result, [])
    forget_failures(directory, whole)
    assert trained(directory, whole)[0] == (False, (), False)
    assert progress(directory, whole, "broken").finished == 2


def test_a_damaged_note_of_a_failure_is_still_one(directory):
    whole = prepared(directory)
    note_failures(directory, plan.only(whole, ["slow"]), ValueError("no luck"))
    assert progress(directory, whole, "slow").failure == "ValueError: no luck"
    directory.configuration("slow").failure.write_text("{")
    assert "is damaged" in progress(directory, whole, "slow").failure
    assert failures(directory, whole) == ("slow",)


def test_a_run_that_another_process_trains_is_left_alone_and_has_not_failed(directory):
    whole = plan.prepare(directory, Sweep({"other": OTHER}, (0, 1), None))
    run = directory.configuration("other").of_seed(0)
    run.path.mkdir(parents=True)
    with filelock.FileLock(run.lock):
        result, _ = trained(directory, whole)
        state = progress(directory, whole, "other")
    assert result == (True, (), False)
    assert (state.finished, state.training) == (1, 1)


def test_seeds_that_have_diverged_are_over(directory):
    whole = prepared(directory)
    for name in CONFIGURATIONS:
        for seed in (0, 1):
            run = directory.configuration(name).of_seed(seed)
            run.path.mkdir(parents=True)
            run.divergence.write_text('{"step": 1, "reason": "nan"}')
    assert jobs(directory, whole) == []
    assert trained(directory, whole)[0].all_diverged
    assert not trained(directory, whole)[0].failed


def test_a_crash_after_the_last_checkpoint_still_gets_its_pictures(directory):
    whole = plan.prepare(directory, Sweep({"other": OTHER}, (0,), None))
    trained(directory, whole)
    run = directory.configuration("other").of_seed(0)
    run.final_picture.unlink()
    trained(directory, whole)
    assert run.final_picture.exists()
    assert checkpoints.steps(run.checkpoints)[-1] == 4


def test_jobs_hold_as_many_runs_as_memory_allows(directory, monkeypatch):
    same = {f"rate_{n}": tiny_points(generator_optimizer=Adam(n / 1000)) for n in (1, 2, 3)}
    whole = plan.prepare(directory, Sweep(same, (0, 1), None))
    state = init(same["rate_1"], 0)
    size = sum(
        leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(jax.eval_shape(lambda: state))
    )
    for runs_that_fit, expected in (
        (6, [3]),
        (5, [2, 1]),
        (4, [2, 1]),
        (3, [1, 1, 1]),
        (1, [1, 1, 1]),
    ):
        memory = (runs_that_fit + 0.5) * size / STATES_FRACTION
        monkeypatch.setattr(devices, "memory_bytes", lambda memory=memory: memory)
        assert [len(job) for job in jobs(directory, whole)] == expected


def test_the_configurations_of_a_sweep_are_directories_to_compare(directory, tmp_path):
    whole = plan.only(prepared(directory), ["slow", "fast"])
    trained(directory, whole)
    assert plan.directories(directory.path) == [
        directory.path / name for name in whole.configurations
    ]
    assert plan.directories(tmp_path) == [tmp_path]
