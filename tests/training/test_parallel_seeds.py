"""Several seeds in one program: the same bits as alone, and each a run of its own."""

import dataclasses
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import gan, runs
from gan_jax.common.errors import RequestError
from gan_jax.runs import checkpoints
from gan_jax.runtime import devices
from gan_jax.training import loop
from gan_jax.training.loop import run_steps
from gan_jax.training.outcome import DivergedError, Outcome
from gan_jax.training.parallel_seeds import make_plan, parse
from gan_jax.training.train import train
from tests.states import assert_same_bits
from tests.tiny import init, tiny, update

ROOT = Path(__file__).parents[2]
FILES = ("metrics.jsonl", "samples/final.png", "samples/film_strip.png", "samples/step_6.png")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Runs of seeds 0, 1 and 2, one after another."""
    folder = tmp_path_factory.mktemp("alone")
    for seed in range(3):
        assert train(tiny(seed=seed), folder / f"seed_{seed}") is Outcome.FINISHED
    return folder


def assert_same_runs(first, second, seeds=range(3)):
    """Checks that two directories hold the same runs, with the same bits."""
    for seed in seeds:
        one, other = first / f"seed_{seed}", second / f"seed_{seed}"
        assert_same_bits(runs.load(one).state, runs.load(other).state)
        for name in FILES:
            assert (one / name).read_bytes() == (other / name).read_bytes(), name


@pytest.mark.slow
def test_more_seeds_take_no_more_memory_than_their_states():
    def temporary(seeds):
        experiment, plan = tiny(steps=1), make_plan("map", seeds, 16)
        plan = dataclasses.replace(plan, mesh=devices.make_mesh(1))
        states = plan.stack([init(experiment, seed) for seed in range(seeds)])
        pool = {"sample": experiment.data.load().sample, "label": None}
        positions = np.zeros((seeds, 1, 16), np.int32)
        hyperparameters = plan.hyperparameters([experiment] * seeds)
        arguments = (experiment.static, plan, states, hyperparameters, pool, positions, np.int32(1))
        memory = run_steps.lower(*arguments).compile().memory_analysis()
        assert memory.alias_size_in_bytes >= seeds * size  # new states replace the old ones
        return memory.temp_size_in_bytes

    state = jax.eval_shape(lambda: gan.init(tiny(), 0))
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    assert temporary(6) - temporary(2) < size / 2  # not a state for each of four more seeds


def test_seeds_that_take_turns_have_the_bits_that_they_have_alone(alone, tmp_path):
    assert train(tiny(), tmp_path / "runs", seeds=(0, 1, 2)) is Outcome.FINISHED
    assert_same_runs(alone, tmp_path / "runs")


@pytest.mark.slow
def test_streamed_data_give_the_same(alone, tmp_path):
    train(tiny(device_memory_fraction=0.0), tmp_path / "runs", seeds=(0, 1, 2))
    assert_same_runs(alone, tmp_path / "runs")


def on_two_devices(call, workdir):
    script = (
        "from pathlib import Path; import jax; from gan_jax.runtime import devices\n"
        "from gan_jax.training.train import train; from tests.tiny import tiny\n"
        "devices.use_cores(2)\n"
        "assert jax.device_count() == 2\n"
        f"workdir = Path({str(workdir)!r}); {call}"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, cwd=ROOT)


@pytest.mark.slow
@pytest.mark.skipif(devices.cores() < 2, reason="needs two cores")
def test_seeds_on_two_devices_have_the_bits_that_they_have_alone(alone, tmp_path):
    on_two_devices("train(tiny(), workdir, seeds=(0, 1, 2), strategy='shard')", tmp_path / "runs")
    assert_same_runs(alone, tmp_path / "runs")


@pytest.mark.slow
@pytest.mark.skipif(devices.cores() < 2, reason="needs two cores")
def test_what_two_devices_began_one_ends(alone, tmp_path):
    call = "train(tiny(steps=5), workdir, seeds=(0, 1, 2))"
    on_two_devices(call, tmp_path / "runs")
    assert train(tiny(), tmp_path / "runs", seeds=(0, 1, 2)) is Outcome.FINISHED
    for seed in range(3):
        one, other = (folder / f"seed_{seed}" for folder in (alone, tmp_path / "runs"))
        assert_same_bits(runs.load(one).state, runs.load(other).state)


@pytest.mark.parametrize("strategy", ["map", "vmap"])
def test_a_step_of_batched_seeds_is_that_of_each_within_rounding(strategy):
    experiment, plan = tiny(), make_plan(strategy, 3, 16)
    initial = [init(experiment, seed) for seed in range(3)]
    pool = {"sample": experiment.data.load().sample, "label": None}
    positions = np.stack([[experiment.data.indices(seed, 0, 16)] for seed in range(3)])
    hyperparameters = plan.hyperparameters([experiment] * 3)
    _, metrics = loop.run_steps(
        experiment, plan, plan.stack(initial), hyperparameters, pool, positions, 1
    )
    for seed, state in enumerate(initial):
        batch = experiment.data.batch(seed, 0, 16)
        _, expected = update(experiment, state, batch)
        for name, value in expected.items():
            np.testing.assert_allclose(metrics[name][seed], value, rtol=2e-5, err_msg=name)


def test_seeds_that_are_added_later_leave_the_finished_ones_alone(alone, tmp_path):
    train(tiny(), tmp_path / "runs", seeds=(0,))
    before = (tmp_path / "runs" / "seed_0" / "config.json").stat().st_mtime_ns
    train(tiny(), tmp_path / "runs", seeds=(0, 1, 2))
    assert (tmp_path / "runs" / "seed_0" / "config.json").stat().st_mtime_ns == before
    assert_same_runs(alone, tmp_path / "runs")


@pytest.mark.slow
def test_stopped_after_every_step_and_resumed_equals_uninterrupted(alone, tmp_path, monkeypatch):
    @contextmanager
    def at_once():
        yield lambda: True

    monkeypatch.setattr("gan_jax.training.train.stop_signals", at_once)
    outcomes = [train(tiny(), tmp_path / "runs", seeds=(0, 1, 2)) for _ in range(12)]
    assert outcomes == [Outcome.STOPPED] * 11 + [Outcome.FINISHED]
    assert_same_runs(alone, tmp_path / "runs")


@pytest.mark.parametrize("crash_at", [5, 8])
def test_a_crash_between_the_saves_of_two_seeds_loses_nothing(
    alone, tmp_path, monkeypatch, crash_at
):
    save, saved = checkpoints.Checkpointer.save, []

    def crashing(self, step, state):
        if len(saved) == crash_at:
            raise KeyboardInterrupt
        save(self, step, state)
        saved.append(step)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.Checkpointer, "save", crashing)
        with pytest.raises(KeyboardInterrupt):
            train(tiny(), tmp_path / "runs", seeds=(0, 1, 2))
    assert saved[:3] == [0, 0, 0]
    calls = []
    run_loop = loop.run_loop
    monkeypatch.setattr(
        "gan_jax.training.train.run_loop",
        lambda session, *rest: calls.append(len(session.runs)) or run_loop(session, *rest),
    )
    train(tiny(), tmp_path / "runs", seeds=(0, 1, 2))
    assert calls == [3]  # together again
    for seed in range(3):
        record = runs.read_record(runs.RunDirectory(tmp_path / "runs").of_seed(seed))
        assert [start["step"] for start in record["resumed"]] == [{5: 0, 8: 5}[crash_at]]
    assert_same_runs(alone, tmp_path / "runs")


def poisoned(monkeypatch, *seeds):
    """Makes the parameters of some seeds NaN at step 7."""
    update = gan.update
    keys = np.stack([jax.random.key_data(jax.random.key(seed)) for seed in seeds])

    def poisoning(experiment, state, batch):
        state, metrics = update(experiment, state, batch)
        sick = (jax.random.key_data(state.key) == keys).all(-1).any() & (state.step == 7)
        params = jax.tree.map(lambda x: jnp.where(sick, jnp.nan, x), state.generator.params)
        return state.replace(generator=state.generator.replace(params=params)), metrics

    monkeypatch.setattr(gan, "update", poisoning)


def test_a_seed_that_diverges_is_marked_and_the_others_go_on(alone, tmp_path, monkeypatch, capsys):
    # Compiled steps are kept by experiment: this one has a name of its own.
    with monkeypatch.context() as patch:
        poisoned(patch, 1)
        changed = tiny(log_every=4)
        assert train(changed, tmp_path / "runs", seeds=(0, 1, 2)) is Outcome.FINISHED
    assert "seed_1 diverged at step" in capsys.readouterr().err
    sick = tmp_path / "runs" / "seed_1"
    assert json.loads((sick / "diverged.json").read_text())["step"] == 8
    assert checkpoints.steps(sick / "checkpoints") == [0, 5]
    for seed in (0, 2):
        one, other = (folder / f"seed_{seed}" for folder in (alone, tmp_path / "runs"))
        assert_same_bits(runs.load(one).state, runs.load(other).state)
    assert train(changed, tmp_path / "runs", seeds=(0, 1, 2)) is Outcome.FINISHED
    assert checkpoints.steps(sick / "checkpoints") == [0, 5]


def test_only_if_all_diverge_the_run_has(tmp_path, monkeypatch):
    poisoned(monkeypatch, 0, 1)
    changed = tiny(log_every=6)
    for message in ("seed_1 diverged at step", "seed_0 has diverged before"):
        with pytest.raises(DivergedError, match=message):
            train(changed, tmp_path / "runs", seeds=(0, 1))


@pytest.mark.parametrize(
    ("text", "seeds"), [("0:3", (0, 1, 2)), ("4", (4,)), ("0:2,7, 5", (0, 1, 7, 5))]
)
def test_seeds_are_read(text, seeds):
    assert parse(text) == seeds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "give 0:8"),
        ("a", "give 0:8"),
        ("0:3:6", "give 0:8"),
        ("-1", "give 0:8"),
        ("3:3", "3:3 contains no seed"),
        (
            "4294967296",
            "the largest seed is 4294967295",
        ),
        ("0:4,2", "2 is given twice"),
        ("0:1000000", "at most 4096"),
    ],
)
def test_seeds_that_make_no_sense_are_refused(text, message):
    with pytest.raises(RequestError, match=message):
        parse(text)


def test_a_run_of_one_seed_is_no_place_for_several_and_the_reverse(tmp_path):
    train(tiny(steps=1), tmp_path / "one")
    with pytest.raises(RequestError, match="holds a run of one seed"):
        train(tiny(steps=1), tmp_path / "one", seeds=(0, 1))
    train(tiny(steps=1), tmp_path / "several", seeds=(0, 1))
    with pytest.raises(RequestError, match="holds runs of several seeds"):
        train(tiny(steps=1), tmp_path / "several")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "todo.txt").write_text("")
    with pytest.raises(RequestError, match="something other than runs of seeds"):
        train(tiny(steps=1), tmp_path / "notes", seeds=(0, 1))


def test_a_changed_experiment_is_refused_and_no_seed_is_touched(tmp_path):
    train(tiny(steps=1), tmp_path / "runs", seeds=(0,))
    with pytest.raises(RequestError, match="latent_size: 4 -> 5"):
        train(tiny(steps=1, latent_size=5), tmp_path / "runs", seeds=(1, 0))
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["seed_0"]
