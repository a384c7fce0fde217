"""Several processes that train one run: the same as one process with as many devices."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.runs import checkpoints
from gan_jax.runtime import hosts
from gan_jax.training.train import train
from tests.states import assert_same_bits
from tests.tiny import tiny

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
TINY = str(ROOT / "tests" / "tiny_experiment.py")


def free_port():
    """A port at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def start(workdir, *arguments, processes=2, own=lambda number: []):
    """Starts as many processes that meet at a free port."""
    command = [sys.executable, "-m", "gan_jax", "train", TINY, "--workdir", str(workdir)]
    command += [
        "--coordinator",
        f"127.0.0.1:{free_port()}",
        "--processes",
        str(processes),
        *arguments,
    ]
    return [
        subprocess.Popen(
            [*command, "--process-id", str(number), *own(number)],
            env=ENVIRONMENT,
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]


def ends(processes):
    """Exit codes, and what each process said."""
    try:
        said = [process.communicate(timeout=240)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], said


@pytest.fixture(scope="module")
def two_devices(tmp_path_factory):
    """A run of one process with two devices."""
    workdir = tmp_path_factory.mktemp("two") / "run"
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    command = [sys.executable, "-m", "gan_jax", "train", TINY, "--workdir", str(workdir)]
    subprocess.run(command, check=True, env=ENVIRONMENT | flags, cwd=ROOT)
    return workdir


def assert_same(one, other):
    """Checks that states are equal within the rounding of another order of sums."""
    one, other = runs.load(one).state, runs.load(other).state
    for player in ("generator", "discriminator"):
        first, second = (
            np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(getattr(of, player).params)])
            for of in (one, other)
        )
        assert np.linalg.norm(first - second) <= 1e-6 * np.linalg.norm(first)


@pytest.mark.slow
def test_two_processes_train_as_one_with_two_devices_and_one_goes_on(two_devices, tmp_path):
    codes, (first, second) = ends(start(tmp_path / "run"))
    assert codes == [0, 0], (first, second)
    assert "finished: " in first
    assert "finished" not in second
    assert_same(two_devices, tmp_path / "run")
    names = {path.name for path in two_devices.iterdir()}
    assert {path.name for path in (tmp_path / "run").iterdir()} == names
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 4
    # One process resumes from what two processes have saved together.
    train(tiny(steps=14), tmp_path / "run")
    assert checkpoints.steps(tmp_path / "run" / "checkpoints")[-1] == 14


@pytest.mark.slow
def test_each_process_reads_its_part_of_streamed_batches(two_devices, tmp_path):
    codes, said = ends(start(tmp_path / "run", "--device-memory-fraction", "0"))
    assert codes == [0, 0], said
    assert_same(two_devices, tmp_path / "run")


@pytest.mark.slow
def test_one_is_killed_and_both_go_on_from_the_last_checkpoint(tmp_path):
    uninterrupted = start(tmp_path / "uninterrupted", "--steps", "100", "--save-every", "20")
    assert ends(uninterrupted)[0] == [0, 0]
    arguments = ("--steps", "100", "--save-every", "20", "--log-every", "1")
    processes = start(tmp_path / "run", *arguments)
    saved = tmp_path / "run" / "checkpoints"
    while len(checkpoints.steps(saved)) < 2:
        assert all(process.poll() is None for process in processes)
        time.sleep(0.01)
    processes[1].send_signal(signal.SIGKILL)
    codes, said = ends(processes)
    assert codes[1] == -signal.SIGKILL
    assert codes[0] == 1
    assert "this process or another one has failed" in said[0]
    assert checkpoints.steps(saved)[-1] < 100
    assert ends(start(tmp_path / "run", *arguments))[0] == [0, 0]
    assert_same_bits(runs.load(tmp_path / "uninterrupted").state, runs.load(tmp_path / "run").state)


@pytest.mark.slow
def test_a_signal_to_one_process_stops_both_after_saving(tmp_path):
    processes = start(tmp_path / "run", "--steps", "1000000", "--log-every", "5")
    metrics = tmp_path / "run" / "metrics.jsonl"
    while not (metrics.exists() and metrics.read_text()):
        assert all(process.poll() is None for process in processes)
        time.sleep(0.01)
    processes[1].terminate()
    codes, (first, _) = ends(processes)
    assert codes == [75, 75]
    assert "and saved" in first


@pytest.mark.slow
def test_what_the_first_process_refuses_the_other_does_too(tmp_path):
    train(tiny(latent_size=5), tmp_path / "run")
    codes, said = ends(start(tmp_path / "run"))
    assert codes == [2, 2]
    assert all("latent_size: 5 -> 4" in each for each in said)


@pytest.mark.slow
def test_processes_that_were_given_different_seeds_are_refused(tmp_path):
    processes = start(tmp_path / "run", own=lambda number: ["--seed", str(number)])
    codes, said = ends(processes)
    assert codes == [2, 2]
    assert all("different experiments, seeds or data" in each for each in said)
    assert not (tmp_path / "run").exists()


def test_a_missing_coordinator_is_reported():
    script = (
        "from gan_jax.runtime import hosts\nfrom gan_jax.common.errors import RequestError\n"
        "hosts.SECONDS_TO_MEET = 3\n"
        "try:\n    hosts.join('127.0.0.1:1', 2, 1)\n"
        "except RequestError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True
    )
    assert "no coordinator at 127.0.0.1:1 within 3 seconds" in done.stdout, done.stderr


def test_a_port_that_is_taken_is_refused(monkeypatch):
    with socket.create_server(("", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        monkeypatch.setattr(hosts, "SECONDS_TO_MEET", 10**6)  # so that this process never ends
        with pytest.raises(RequestError, match=f"--coordinator {address}: .*cannot listen"):
            hosts.join(address, 2, 0)


@pytest.mark.parametrize("process_id", [0, 1])
def test_processes_that_never_meet_end_with_a_message(process_id):
    """The other process does not come; or something else answers at the coordinator's port."""
    script = (
        "import sys\nfrom gan_jax.runtime import hosts\nhosts.SECONDS_TO_MEET = 3\n"
        "hosts.join(sys.argv[1], 2, int(sys.argv[2]))"
    )
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1] if process_id else free_port()}"
        done = subprocess.run(
            [sys.executable, "-c", script, address, str(process_id)],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"error: not all processes met at {address}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("here:1", None, None), "give all three"),
        (("here:1", 2, 2), "numbered from 0"),
        (("here:1", 0, 0), "numbered from 0"),
        (("here", 2, 0), "give HOST:PORT"),
        (("here:0", 2, 1), "from 1 to 65535"),
        (("here:65536", 2, 1), "from 1 to 65535"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(RequestError, match=message):
        hosts.join(*arguments)


def test_one_process_is_alone(monkeypatch):
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    hosts.join()
    assert (hosts.count(), hosts.is_first(), hosts.least(3)) == (1, True, 3)
    assert hosts.any_of(True) and not hosts.any_of(False)
