"""Training end to end: resumed equals uninterrupted, whatever interrupts it."""

import gc
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.torture.damage import flip_a_bit
from gan_jax import gan, losses, runs
from gan_jax.common.errors import RequestError
from gan_jax.data.images import arrays
from gan_jax.data.sources.base import _load
from gan_jax.optimizers import Adam, Schedule
from gan_jax.runs import checkpoints
from gan_jax.training.loop import run_steps
from gan_jax.training.outcome import DivergedError, Outcome
from gan_jax.training.parallel_seeds import make_plan
from gan_jax.training.train import train
from tests.states import assert_same_bits
from tests.tiny import init, tiny, tiny_points, update

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tests" / "tiny_experiment.py"


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A run of 12 steps in one go."""
    workdir = tmp_path_factory.mktemp("uninterrupted") / "run"
    assert train(tiny(), workdir) is Outcome.FINISHED
    return workdir


def assert_same_run(first: Path, second: Path) -> None:
    """Checks that two finished runs hold the same state, metrics and pictures."""
    assert_same_bits(runs.load(first).state, runs.load(second).state)
    assert (first / "metrics.jsonl").read_bytes() == (second / "metrics.jsonl").read_bytes()
    pictures = sorted(path.name for path in (first / "samples").iterdir())
    assert pictures == sorted(path.name for path in (second / "samples").iterdir())
    for name in pictures:
        assert (first / "samples" / name).read_bytes() == (second / "samples" / name).read_bytes()


def start(workdir: Path, *arguments: str, steps: int = 400) -> subprocess.Popen:
    """Starts `gan-jax train` on the tiny experiment in a process of its own."""
    command = [sys.executable, "-m", "gan_jax", "train", str(FILE), "--workdir", str(workdir)]
    return subprocess.Popen(
        [*command, "--steps", str(steps), "--save-every", "7", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen) -> tuple[int, str]:
    """Waits for the end; returns exit code and messages."""
    _, messages = process.communicate(timeout=240)
    return process.returncode, messages


def wait_for(condition, process, seconds=240):
    """Waits until the condition holds; fails if the process ends or time runs out before."""
    limit = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, end(process)
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_a_run_leaves_what_it_promises(uninterrupted):
    lines = (uninterrupted / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["step"] for row in rows] == [3, 6, 9, 12]
    assert all(row["seed"] == 0 for row in rows)
    assert {"discriminator_loss", "generator_loss", "accuracy_real"} <= set(rows[0])
    assert checkpoints.steps(uninterrupted / "checkpoints") == [5, 10, 12]
    names = {path.name for path in (uninterrupted / "samples").iterdir()}
    assert names == {"step_0.png", "step_6.png", "step_12.png", "final.png", "film_strip.png"}
    record = json.loads((uninterrupted / "config.json").read_text())
    assert runs.experiment_of(record, uninterrupted) == tiny()
    assert record["versions"]["jax"] == jax.__version__
    assert record["class_names"] == [str(digit) for digit in range(10)]
    digits = "data: 10,000 examples of 10 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert f"{digits}; their labels are not used" in (uninterrupted / "log.txt").read_text()


def test_the_loop_does_what_the_update_says(uninterrupted):
    experiment = tiny()
    state = init(experiment, 0)
    for step in range(12):
        state, metrics = update(experiment, state, experiment.data.batch(0, step, 16))
    trained = runs.load(uninterrupted).state
    for a, b in zip(
        jax.tree.leaves(state.generator.params),
        jax.tree.leaves(trained.generator.params),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    last = json.loads((uninterrupted / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["generator_loss"] == pytest.approx(float(metrics["generator_loss"]), rel=1e-3)


def test_steps_do_not_depend_on_how_calls_group_them():
    experiment, plan = tiny(), make_plan("map", 1, 16)
    pool = {"sample": experiment.data.load().sample, "label": None}
    positions = np.stack([experiment.data.indices(0, step, 16) for step in range(6)])

    def trained(*groups):
        states = plan.stack([init(experiment, 0)])
        step = 0
        for count in groups:
            padded = np.zeros((1, 6, 16), np.int32)
            padded[0, :count] = positions[step : step + count]
            states, _ = run_steps(
                experiment, plan, states, plan.hyperparameters([experiment]), pool, padded, count
            )
            step += count
        return states

    whole = trained(6)
    assert_same_bits(whole, trained(1, 1, 1, 1, 1, 1))
    assert_same_bits(whole, trained(4, 2))


def test_extending_a_run_equals_a_long_run(uninterrupted, tmp_path):
    assert train(tiny(steps=6), tmp_path / "run") is Outcome.FINISHED
    assert train(tiny(steps=12), tmp_path / "run") is Outcome.FINISHED
    assert_same_bits(runs.load(uninterrupted).state, runs.load(tmp_path / "run").state)
    said = (tmp_path / "run" / "log.txt").read_text()
    assert said.count("another length (recorded -> now): steps: 6 -> 12") == 1


def test_a_finished_run_stays_as_it_is(uninterrupted, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(uninterrupted, copy)
    assert train(tiny(), copy) is Outcome.FINISHED
    assert_same_run(uninterrupted, copy)
    assert (copy / "config.json").read_bytes() == (uninterrupted / "config.json").read_bytes()


# Depending on which byte is damaged, threads of Orbax end with exceptions of their own.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_damaged_checkpoint_is_set_aside_and_its_steps_done_again(uninterrupted, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(uninterrupted, copy)
    files = [p for p in (copy / "checkpoints" / "12").rglob("*") if p.is_file()]
    largest = max(files, key=lambda path: path.stat().st_size)
    flip_a_bit(largest)
    assert train(tiny(), copy) is Outcome.FINISHED
    assert (copy / "checkpoints" / "corrupt-12").is_dir()
    assert_same_run(uninterrupted, copy)
    gc.collect()  # so that what they leave behind ends in this test


def test_streamed_and_resident_data_train_alike(uninterrupted, tmp_path):
    assert train(tiny(device_memory_fraction=0.0), tmp_path / "run") is Outcome.FINISHED
    resident, streamed = runs.load(uninterrupted).state, runs.load(tmp_path / "run").state
    assert_same_bits(resident, streamed)


def test_another_experiment_in_the_same_directory_is_refused(uninterrupted):
    before = sorted(uninterrupted.rglob("*"))
    with pytest.raises(RequestError) as error:
        train(tiny(batch_size=8, loss=losses.Minimax()), uninterrupted)
    assert "batch_size: 16 -> 8" in str(error.value)
    assert "loss.class" in str(error.value)
    assert sorted(uninterrupted.rglob("*")) == before


def test_data_that_have_changed_under_a_run_are_refused(tmp_path):
    file = tmp_path / "images.npz"
    pixels = np.zeros((8, 8, 8), np.uint8)

    def go_on(steps, images):
        np.savez(file, images=images)
        _load.cache_clear()  # as a new process would
        train(tiny(data=arrays(file, 8, 1), batch_size=4, steps=steps), tmp_path / "run")

    go_on(2, pixels)
    go_on(3, pixels)
    with pytest.raises(RequestError, match=r"examples of the data: '8 images.*' -> '9 images"):
        go_on(4, np.concatenate([pixels, pixels[:1]]))
    with pytest.raises(RequestError, match="examples of the data"):
        go_on(4, pixels + np.uint8(1))
    assert checkpoints.steps(tmp_path / "run" / "checkpoints")[-1] == 3


def test_a_directory_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(RequestError, match=r"holds something other than a run \(thesis.txt\)"):
        train(tiny(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_nothing_is_made_when_the_request_is_wrong(tmp_path):
    with pytest.raises(RequestError, match="batch_size must be between 1 and"):
        train(tiny(batch_size=50_000), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_run_whose_parameters_diverge_is_ended_before_they_are_saved(tmp_path, monkeypatch):
    original = gan.update

    def poisoning(experiment, state, batch):  # its metrics are finite until the next step
        state, metrics = original(experiment, state, batch)
        sick = state.step == 5
        params = jax.tree.map(lambda x: jnp.where(sick, jnp.nan, x), state.generator.params)
        return state.replace(generator=state.generator.replace(params=params)), metrics

    monkeypatch.setattr(gan, "update", poisoning)
    message = "diverged at step 5: not all parameters are finite; the newest checkpoint is from"
    with pytest.raises(DivergedError, match=message):
        # Compiled steps are kept by experiment: this one has a name of its own.
        train(tiny(log_every=4, save_every=5), tmp_path)
    assert checkpoints.steps(tmp_path / "checkpoints") == [0]
    assert message in runs.RunDirectory(tmp_path).log.read_text()


def test_no_seed_at_all_is_refused(tmp_path):
    with pytest.raises(RequestError, match="give at least one seed, or None"):
        train(tiny(), tmp_path / "run", seeds=())
    assert list(tmp_path.iterdir()) == []


def test_two_processes_cannot_train_in_one_directory(tmp_path):
    import filelock

    (tmp_path / "run").mkdir()
    with (
        filelock.FileLock(tmp_path / "run" / ".lock"),
        pytest.raises(RequestError, match="another process is training"),
    ):
        train(tiny(), tmp_path / "run")


def test_killed_before_the_first_interval_and_resumed_equals_uninterrupted(uninterrupted, tmp_path):
    copy = tmp_path / "run"
    assert train(tiny(), copy) is Outcome.FINISHED
    for step in checkpoints.steps(copy / "checkpoints"):
        shutil.rmtree(copy / "checkpoints" / str(step))
    with checkpoints.Checkpointer(copy / "checkpoints", 3) as saver:
        saver.save(0, init(tiny(), 0))
    assert train(tiny(), copy) is Outcome.FINISHED
    assert_same_run(uninterrupted, copy)


def test_lost_checkpoints_are_no_reason_to_start_over_silently(uninterrupted, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(uninterrupted, copy)
    shutil.rmtree(copy / "checkpoints")
    with pytest.raises(RequestError, match="its checkpoints are gone"):
        train(tiny(), copy)
    assert (copy / "metrics.jsonl").read_bytes() == (uninterrupted / "metrics.jsonl").read_bytes()


def test_a_run_that_is_beyond_the_steps_asked_for_is_refused(uninterrupted, tmp_path):
    copy = shutil.copytree(uninterrupted, tmp_path / "run")
    with pytest.raises(RequestError, match=r"at step 12 already, beyond the 7 .*: give --steps 12"):
        train(tiny(steps=7), copy)
    assert_same_run(uninterrupted, copy)


def test_the_step_of_the_state_counts_not_the_name_of_its_folder(uninterrupted, tmp_path, capsys):
    train(tiny(steps=7), tmp_path / "run")
    folder = tmp_path / "run" / "checkpoints"
    (folder / "7").rename(folder / "11")
    train(tiny(), tmp_path / "run")
    assert "11 holds the state of step 7: renamed to 7" in capsys.readouterr().err
    state = runs.load(tmp_path / "run").state
    assert_same_bits(state, runs.load(uninterrupted).state)


def test_what_a_killed_process_has_left_is_removed_when_the_run_goes_on(tmp_path):
    workdir, number = tmp_path / "run", "0123456789abcdef" * 2
    train(tiny(steps=7), workdir)
    (workdir / "best").mkdir()
    litter = [
        workdir / f".{name}.{number}"
        for name in ("config.json", "metrics.jsonl", "evaluation.jsonl", "seconds.json")
    ]
    litter += [workdir / "samples" / f".step_6.png.{number}", workdir / "best" / f".{number}"]
    for path in litter:
        path.touch()
    train(tiny(), workdir)
    assert not [path for path in litter if path.exists()]


@pytest.mark.slow
def test_sigterm_saves_and_exits_75(tmp_path):
    process = start(tmp_path / "run", steps=100_000)
    wait_for(lambda: len(checkpoints.steps(tmp_path / "run" / "checkpoints")) > 1, process)
    process.terminate()
    code, message = end(process)
    assert code == 75
    (step,) = [int(line.split()[3]) for line in message.splitlines() if "stopped at step" in line]
    assert checkpoints.steps(tmp_path / "run" / "checkpoints")[-1] == step
    code, message = end(start(tmp_path / "run", steps=step + 3))
    assert code == 0
    assert f"resuming {tmp_path / 'run'} at step {step}" in message


@pytest.mark.slow
def test_a_batch_of_all_devices_equals_one_device(tmp_path):
    networks = (
        "generator=dcgan.Generator(width=8, image_size=8), discriminator=dcgan.Discriminator(8)"
    )
    script = (
        "from pathlib import Path; from gan_jax.runtime import devices; "
        "from gan_jax.training.train import train; "
        "from gan_jax.networks import dcgan; from tests.tiny import tiny; "
        f"train(tiny(steps=10, {networks}), Path({str(tmp_path)!r}) / devices_asked)"
    )
    for count in ("1", "8"):
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={count}",
        }
        command = [sys.executable, "-c", script.replace("devices_asked", repr(count))]
        subprocess.run(command, check=True, env=environment, cwd=ROOT)
    record = json.loads((tmp_path / "8" / "config.json").read_text())
    assert len(record["devices"]) == 8
    one, eight = (runs.load(tmp_path / count).state for count in ("1", "8"))
    for player in ("generator", "discriminator"):
        for part in ("params", "variables"):  # with the statistics of BatchNorm
            few, many = (
                np.concatenate(
                    [np.ravel(leaf) for leaf in jax.tree.leaves(getattr(getattr(s, player), part))]
                    or [np.zeros(1)]
                )
                for s in (one, eight)
            )
            assert np.linalg.norm(few - many) <= 1e-6 * np.linalg.norm(few), (player, part)


@pytest.mark.parametrize(
    ("steps", "end", "said"),
    [
        (2, 0.0, "changes until step 4, and training ends at step 2"),
        (6, 0.0, "changes until step 4, and training ends at step 6"),
        (6, 0.1, ""),
        (4, 0.0, ""),
    ],
)
def test_a_schedule_that_ends_elsewhere_is_said(tmp_path, capsys, steps, end, said):
    adam = Adam(1e-3, schedule=Schedule("linear", steps=4, end=end))
    train(tiny_points(steps=steps, generator_optimizer=adam), tmp_path / "run")
    err = capsys.readouterr().err
    assert err.count("learning rate changes") == bool(said)
    assert f"note: the generator's learning rate {said}" in err or not said


def test_lost_pictures_are_said(tmp_path, capsys):
    directory = runs.RunDirectory(tmp_path / "run")
    train(tiny_points(steps=6, save_every=3, sample_every=2), directory.path)
    directory.step_picture(0).unlink()
    directory.step_picture(4).unlink()
    train(tiny_points(steps=8, save_every=3, sample_every=2), directory.path)
    assert "samples lacks step_0.png, step_4.png\n" in capsys.readouterr().err


def test_lost_lines_of_metrics_are_said(tmp_path, capsys):
    for steps in (5, 6):
        train(tiny_points(steps=steps, save_every=3, log_every=2), tmp_path / "run")
    metrics = tmp_path / "run" / "metrics.jsonl"
    lines = metrics.read_text().splitlines(keepends=True)
    assert "lacks" not in capsys.readouterr().err
    metrics.write_text("".join([lines[0], "garbage\n", *lines[2:]]))
    train(tiny_points(steps=8, save_every=3, log_every=2), tmp_path / "run")
    said = capsys.readouterr().err
    assert "lacks step_" not in said
    assert "metrics.jsonl lacks 1 of the 3 lines of every 2 steps up to step 6" in said
    assert "metrics.jsonl had damaged lines (1), which are removed" in said
