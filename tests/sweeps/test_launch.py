"""Launchers: processes with cores of their own, and SLURM's array jobs."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import submitit

from gan_jax.common import exit_codes
from gan_jax.common.errors import RequestError
from gan_jax.runs import checkpoints
from gan_jax.runtime import devices
from gan_jax.sweeps import launch, plan, train
from gan_jax.sweeps.plan import Sweep, SweepDirectory
from tests.tiny import tiny_points

ROOT = Path(__file__).parents[2]
CONFIGURATIONS = {
    f"latent_{n}": tiny_points(steps=3, latent_size=n, sample_every=3) for n in (3, 4)
}


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """A directory with a sweep of two configurations, and the sweep."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    directory = SweepDirectory(tmp_path / "sweep")
    return directory, plan.prepare(directory, Sweep(CONFIGURATIONS, (0,), None))


def finished(directory, whole):
    return [train.progress(directory, whole, name).finished for name in whole.configurations]


@pytest.mark.skipif(devices.cores() < 2, reason="needs two cores")
def test_processes_of_this_machine_share_the_configurations(prepared):
    directory, whole = prepared
    said = []
    result = launch.train_locally(directory, whole, launch.divide_cores(2), "map", said.append)
    assert result == (False, (), False)
    assert finished(directory, whole) == [1, 1]
    logs = [path.read_text() for path in sorted(directory.logs.iterdir())]
    assert len(logs) == 2
    assert all("finished: " in log for log in logs)
    assert len(said) == 2


def test_configurations_of_a_process_that_is_killed_are_left(prepared, monkeypatch):
    directory, whole = prepared
    dying = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    monkeypatch.setattr(launch, "_command", lambda *_: [sys.executable, "-c", dying])
    said = []
    result = launch.train_locally(directory, whole, [None], "map", said.append)
    assert result == (True, (), False)
    assert "process 0 was killed (SIGKILL); run the sweep again to resume" in said


def test_configurations_of_a_process_that_refuses_are_left(prepared, monkeypatch):
    directory, whole = prepared
    monkeypatch.setattr(launch, "_command", lambda *_: [sys.executable, "-c", "exit(2)"])
    said = []
    result = launch.train_locally(directory, whole, [None], "map", said.append)
    assert result == (True, (), False)
    assert any(message.startswith("process 0 refused to train, see ") for message in said)


def test_a_process_that_crashes_is_noted_as_a_failure(prepared, monkeypatch):
    directory, whole = prepared
    dying = "import os; os.abort()"
    monkeypatch.setattr(launch, "_command", lambda *_: [sys.executable, "-c", dying])
    result = launch.train_locally(directory, whole, [None], "map", print)
    assert result.failed == tuple(CONFIGURATIONS)
    failure = train.progress(directory, whole, "latent_3").failure
    assert re.search("ended with code -6, see .*process_0.log", failure)


def test_each_process_has_cores_of_its_own(prepared, monkeypatch):
    directory, whole = prepared
    asking = "import os; print(sorted(os.sched_getaffinity(0)))"
    monkeypatch.setattr(launch, "_command", lambda *_: [sys.executable, "-c", asking])
    before = os.sched_getaffinity(0)
    processes = min(2, len(before))
    launch.train_locally(directory, whole, launch.divide_cores(processes), "map", print)
    shares = {line for path in directory.logs.iterdir() for line in path.read_text().splitlines()}
    cores = sorted(before)
    assert shares
    assert shares <= {str(cores[number::processes]) for number in range(processes)}
    assert os.sched_getaffinity(0) == before


def test_a_signal_is_passed_on_and_the_sweep_goes_on_later(tmp_path):
    directory = SweepDirectory(tmp_path / "sweep")
    endless = {"endless": tiny_points(steps=10**6, sample_every=10**6, save_every=10**6)}
    whole = plan.prepare(directory, Sweep(endless, (0,), None))
    command = [sys.executable, "-m", "gan_jax", "sweep", str(directory.path)]
    command += ["--launcher", "local", "--jobs", "1"]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, cwd=ROOT)
    run = directory.configuration("endless").of_seed(0)
    try:
        while not (run.metrics.exists() and run.metrics.read_text()):
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == exit_codes.STOPPED
    finally:
        process.kill()
    assert checkpoints.steps(run.checkpoints)[-1] > 0
    state = train.progress(directory, whole, "endless")
    assert (state.training, state.waiting, state.failure) == (0, 1, None)


@pytest.mark.parametrize("processes", [0, 10**6])
def test_more_processes_than_cores_are_refused(processes):
    with pytest.raises(RequestError, match=f"--jobs {processes}: there are"):
        launch.divide_cores(processes)


def test_jobs_are_cut_until_every_process_has_one():
    names = [{"a": 1, "b": 2, "c": 3, "d": 4}, {"e": 5}]
    assert launch.split(names, 2) == names
    assert launch.split(names, 4) == [{"a": 1}, {"b": 2}, {"c": 3, "d": 4}, {"e": 5}]
    assert len(launch.split(names, 99)) == 5
    assert launch.split([], 2) == []


@pytest.mark.slow
def test_submitit_runs_the_jobs(prepared):
    directory, whole = prepared
    executor = submitit.AutoExecutor(directory.logs, cluster="local")
    executor.update_parameters(timeout_min=5)
    jobs = launch.submit(executor, directory, whole, "map")
    assert [job.result() for job in jobs] == [0, 0]
    assert finished(directory, whole) == [1, 1]
    assert launch.submit(executor, directory, whole, "map") == []


def test_a_job_that_is_stopped_saves_and_says_how_to_go_on(tmp_path):
    saved = tmp_path / "saved"
    script = (
        "import pathlib, signal, sys, time\n"
        f"saved = pathlib.Path({str(saved)!r})\n"
        "signal.signal(signal.SIGTERM, lambda *_: (saved.write_text('yes'), sys.exit(75)))\n"
        "saved.with_name('ready').touch()\n"
        "time.sleep(60)\n"
    )
    job = launch.Job([sys.executable, "-c", script])
    stopped = []

    def stop(*_):
        stopped.append(job.checkpoint())

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 3)
        assert job() == exit_codes.STOPPED
    finally:
        signal.signal(signal.SIGALRM, before)
    assert saved.read_text() == "yes"
    (again,) = stopped
    assert again.function._command == job._command


SCRIPT = """\
#!/bin/bash

# Parameters
#SBATCH --array=0-1%2
#SBATCH --error=LOGS/%A_%a_0_log.err
#SBATCH --gpus-per-node=1
#SBATCH --job-name=gan-jax-sweep
#SBATCH --nodes=1
#SBATCH --open-mode=append
#SBATCH --output=LOGS/%A_%a_0_log.out
#SBATCH --partition=fast
#SBATCH --signal=USR2@90
#SBATCH --time=60
#SBATCH --wckey=submitit

# command
export SUBMITIT_EXECUTOR=slurm
srun --unbuffered --output LOGS/%A_%a_%t_log.out --error LOGS/%A_%a_%t_log.err PYTHON -u -m \
submitit.core._submit LOGS
"""


def test_slurm_gets_one_array_job_that_is_signalled_before_its_time_is_over(
    prepared, tmp_path, monkeypatch
):
    directory, whole = prepared
    programs = tmp_path / "programs"
    programs.mkdir()
    fakes = {"sbatch": f'cp "$1" {tmp_path}/batch.sh; echo Submitted batch job 7', "srun": ""}
    for name, body in fakes.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    parameters = {"timeout_min": 60, "slurm_partition": "fast", "gpus_per_node": 1}
    jobs = launch.submit(launch.slurm(directory, parameters), directory, whole, "vmap")
    assert [job.job_id for job in jobs] == ["7_0", "7_1"]
    script = (tmp_path / "batch.sh").read_text().replace(str(directory.logs), "LOGS")
    assert script.replace(sys.executable, "PYTHON") == SCRIPT
    commands = [job.submission().function._command for job in jobs]
    assert commands[0][1:4] == ["-m", "gan_jax", "sweep"]
    assert commands[0][4:] == [
        str(directory.path),
        "--trust",
        "--strategy",
        "vmap",
        "--only",
        "latent_3",
    ]


def test_processes_accept_changes_if_asked_for(prepared):
    directory, whole = prepared
    for accepted in (True, False):
        command = launch._command(directory, whole.configurations, "map", accepted)
        assert ("--accept-changes" in command) is accepted


@pytest.mark.parametrize("parameters", [{}, {"no_such_parameter": 1}])
def test_what_submitit_refuses_is_said(prepared, parameters, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RequestError, match="--launcher slurm: "):
        launch.slurm(prepared[0], parameters)


def test_a_missing_submitit_is_said(prepared, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(RequestError, match="pip install 'gan_jax"):
        launch.slurm(prepared[0], {})
