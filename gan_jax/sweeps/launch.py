"""Launchers: the jobs of a sweep as processes of this machine, or as an array job of SLURM.

Each job is the command `gan-jax sweep DIR --only SETTING ...`, which goes on from its checkpoints
wherever and however often it is started.
"""

import itertools
import os
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gan_jax.common.errors import RequestError
from gan_jax.common.exit_codes import DIVERGED, FAILED, FINISHED, STOPPED
from gan_jax.runtime import devices
from gan_jax.runtime.signals import stop_signals
from gan_jax.sweeps import train
from gan_jax.sweeps.grid import Settings
from gan_jax.sweeps.plan import Sweep, SweepDirectory, only
from gan_jax.training.parallel_seeds import Strategy

KNOWN_CODES = (FINISHED, DIVERGED, STOPPED)  # after which there is nothing to note
SECONDS_BETWEEN_LOOKS = 0.2
TIMEOUTS = 1000  # after which a job is queued again, each time
SECONDS_TO_SAVE = 80.0  # SLURM gives a job that it stops 90 seconds, by submitit's wish

Shares = list[set[int] | None]  # cores of each process; None where the system cannot pin them


def shares_of_cores(processes: int) -> Shares:
    """Deals the cores of this machine out to processes.

    Raises:
        RequestError: there are fewer cores than processes.
    """
    if processes < 1 or processes > devices.cores():
        raise RequestError(f"--jobs {processes}: there are {devices.cores()} cores")
    if not hasattr(os, "sched_getaffinity"):
        return [None] * processes
    cores = sorted(os.sched_getaffinity(0))
    return [set(cores[number::processes]) for number in range(processes)]


def train_locally(
    directory: SweepDirectory,
    whole: Sweep,
    shares: Shares,
    strategy: Strategy,
    announce: Callable[[str], None],
) -> train.Result:
    """Trains what is left of a sweep in several processes, each with cores of its own.

    A signal is passed on to them, and ends this after they have saved.

    Args:
        directory: where the sweep is.
        whole: what it is.
        shares: the cores of each process.
        strategy: how the runs of one process share its cores.
        announce: says what happens.
    """
    processes = len(shares)
    jobs: queue.SimpleQueue[Settings] = queue.SimpleQueue()
    for job in split(train.jobs(directory, whole), processes):
        jobs.put(job)
    directory.logs.mkdir(exist_ok=True)

    with stop_signals() as stopping:

        def work(number: int) -> None:
            # Affinity is that of a thread, and what it starts inherits it.
            if shares[number] is not None:
                os.sched_setaffinity(0, shares[number])
            while not stopping():
                try:
                    job = jobs.get_nowait()
                except queue.Empty:
                    return
                log = directory.logs / f"process_{number}.log"
                announce(f"process {number}: {', '.join(job)}; see {log}")
                code = _run(_command(directory, job, strategy), log, stopping)
                if code not in KNOWN_CODES:
                    error = RuntimeError(f"the process ended with code {code}, see {log}")
                    failed = train.left(directory, only(whole, list(job)))
                    train.note_failures(directory, only(whole, failed), error)

        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(work, range(processes)))  # raises what a thread has raised
        if stopping():
            return train.Result(True, train.failures(directory, whole), False)
    return train.result(directory, whole)


def slurm(directory: SweepDirectory, parameters: Mapping[str, Any]) -> Any:
    """Makes submitit's executor for SLURM.

    Args:
        directory: where the sweep is.
        parameters: submitit's, `timeout_min` or `slurm_partition` for example.

    Raises:
        RequestError: submitit is not installed, there is no SLURM here, or it does not know a
            parameter.
    """
    try:
        import submitit
    except ImportError as error:
        raise RequestError(
            "--launcher slurm: needs submitit: pip install 'gan_jax[slurm]'"
        ) from error
    try:
        executor = submitit.AutoExecutor(directory.logs, "slurm", slurm_max_num_timeout=TIMEOUTS)
        executor.update_parameters(name=f"gan-jax-{directory.path.name}", **parameters)
    except (RuntimeError, NameError, TypeError, ValueError, AssertionError) as error:
        raise RequestError(f"--launcher slurm: {error}") from error
    return executor


def submit(executor: Any, directory: SweepDirectory, whole: Sweep, strategy: Strategy) -> list[Any]:
    """Submits what is left of a sweep as one array job.

    A job that SLURM preempts or whose time is over saves, is queued again, and goes on.

    Args:
        executor: submitit's.
        directory: where the sweep is.
        whole: what it is.
        strategy: how the runs of one job share its devices.

    Returns:
        submitit's jobs.
    """
    jobs = [Job(_command(directory, job, strategy)) for job in train.jobs(directory, whole)]
    if not jobs:
        return []
    with executor.batch():
        return [executor.submit(job) for job in jobs]


class Job:
    """What an array job of SLURM calls: the command in a process of its own."""

    def __init__(self, command: Sequence[str]):
        """Takes the command."""
        self._command = list(command)
        self._child: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Runs it.

        Raises:
            RuntimeError: its exit code says that it has failed.
        """
        self._child = subprocess.Popen(self._command)
        while (code := self._child.poll()) is None:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        if code not in (*KNOWN_CODES, FAILED):  # what has failed stands in the sweep's directory
            raise RuntimeError(f"{' '.join(self._command)} ended with code {code}")
        return code

    def checkpoint(self) -> Any:
        """Lets it save, and says how to go on; submitit calls this when the job is stopped."""
        import submitit

        if self._child is not None:
            self._child.terminate()
            until = time.monotonic() + SECONDS_TO_SAVE
            while self._child.poll() is None and time.monotonic() < until:
                time.sleep(SECONDS_BETWEEN_LOOKS)
        return submitit.helpers.DelayedSubmission(Job(self._command))


def split(jobs: Sequence[Settings], count: int) -> list[Settings]:
    """Cuts jobs of many settings, the largest first, until there are `count`."""
    found = [dict(job) for job in jobs]
    while found and len(found) < count:
        largest = max(found, key=len)
        if len(largest) == 1:
            break
        half = dict(itertools.islice(largest.items(), len(largest) // 2))
        rest = {name: each for name, each in largest.items() if name not in half}
        position = found.index(largest)
        found[position : position + 1] = [half, rest]
    return found


def _command(directory: SweepDirectory, job: Settings, strategy: Strategy) -> list[str]:
    here = [sys.executable, "-m", "gan_jax", "sweep", str(directory.path.resolve())]
    return [*here, "--strategy", strategy, "--only", *job]


def _run(command: Sequence[str], log: Path, stopping: Callable[[], bool]) -> int:
    told = False
    with log.open("ab") as output:
        # A Ctrl-C of the terminal must not reach it besides.
        child = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        while child.poll() is None:
            if stopping() and not told:
                child.terminate()
                told = True
            time.sleep(SECONDS_BETWEEN_LOOKS)
    return child.returncode
