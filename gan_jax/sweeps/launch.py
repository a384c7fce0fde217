"""Launchers: the jobs of a sweep as processes of this machine, or as an array job of SLURM.

Each job is the command `gan-jax sweep DIR --only CONFIGURATION ...`, which resumes from its
checkpoints wherever and however often it is started.
"""

import itertools
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gan_jax.common.errors import RequestError
from gan_jax.common.exit_codes import DIVERGED, FAILED, FINISHED, STOPPED, WRONG_REQUEST
from gan_jax.runtime import devices
from gan_jax.runtime.signals import stop_signals
from gan_jax.sweeps import train
from gan_jax.sweeps.grid import Configurations
from gan_jax.sweeps.plan import Sweep, SweepDirectory, only
from gan_jax.training.strategy import Strategy

EXPECTED_CODES = (FINISHED, DIVERGED, STOPPED)  # of processes that have not failed
# Signals that end a process through no fault of its configurations.
KILLING = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
SECONDS_BETWEEN_POLLS = 0.2
TIMEOUTS = 1000  # how often a job that runs out of time is queued again
SECONDS_TO_SAVE = 80.0  # submitit asks SLURM for 90 seconds before a job is stopped

Cores = list[set[int] | None]  # of each process; None where the system cannot pin them


def divide_cores(processes: int) -> Cores:
    """Divides the cores of this machine among processes.

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
    cores: Cores,
    strategy: Strategy,
    announce: Callable[[str], None],
    accept_changes: bool = False,
) -> train.Result:
    """Trains what is left of a sweep in several processes, each with its own cores.

    A signal is passed on to them; this function returns when they have saved.

    Args:
        directory: where the sweep is.
        whole: what it is.
        cores: those of each process, see `divide_cores`.
        strategy: how the runs of one process share its cores.
        announce: prints a message about progress.
        accept_changes: as that of `training.train.train`.
    """
    processes = len(cores)
    jobs: queue.SimpleQueue[Configurations] = queue.SimpleQueue()
    for job in split(train.jobs(directory, whole), processes):
        jobs.put(job)
    directory.logs.mkdir(exist_ok=True)

    with stop_signals() as stopping:

        def work(number: int) -> None:
            # Affinity belongs to a thread, and the processes that it starts inherit it.
            if cores[number] is not None:
                os.sched_setaffinity(0, cores[number])
            while not stopping():
                try:
                    job = jobs.get_nowait()
                except queue.Empty:
                    return
                log = directory.logs / f"process_{number}.log"
                announce(f"process {number}: {', '.join(job)}; see {log}")
                command = _command(directory, job, strategy, accept_changes)
                code = _run(command, log, stopping)
                if -code in KILLING:  # by somebody else, or for want of memory
                    name = signal.Signals(-code).name
                    announce(f"process {number} was killed ({name}); run the sweep again to resume")
                elif code == WRONG_REQUEST:  # another environment, for example
                    announce(f"process {number} refused to train, see {log}")
                elif code not in EXPECTED_CODES:
                    error = RuntimeError(f"the process ended with code {code}, see {log}")
                    failed = train.left(directory, only(whole, list(job)))
                    train.note_failures(directory, only(whole, failed), error)

        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(work, range(processes)))  # raises what a thread raised
        if stopping():
            return train.Result(True, train.failures(directory, whole), False)
    return train.result(directory, whole)


def slurm(directory: SweepDirectory, parameters: Mapping[str, Any]) -> Any:
    """Makes submitit's executor for SLURM.

    Args:
        directory: where the sweep is.
        parameters: submitit's, `timeout_min` or `slurm_partition` for example.

    Raises:
        RequestError: submitit is not installed or does not know a parameter, or there is no SLURM
            on this machine.
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


def submit(
    executor: Any,
    directory: SweepDirectory,
    whole: Sweep,
    strategy: Strategy,
    accept_changes: bool = False,
) -> list[Any]:
    """Submits what is left of a sweep as one array job.

    A job that SLURM preempts, or that runs out of time, saves, is queued again, and resumes.

    Args:
        executor: submitit's.
        directory: where the sweep is.
        whole: what it is.
        strategy: how the runs of one job share its devices.
        accept_changes: as that of `training.train.train`.

    Returns:
        submitit's jobs.
    """
    jobs = [
        Job(_command(directory, job, strategy, accept_changes))
        for job in train.jobs(directory, whole)
    ]
    if not jobs:
        return []
    with executor.batch():
        return [executor.submit(job) for job in jobs]


class Job:
    """A job of SLURM, as submitit calls it: a command in its own process."""

    def __init__(self, command: Sequence[str]):
        """Takes the command."""
        self._command = list(command)
        self._child: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Runs the command and returns its exit code.

        Raises:
            RuntimeError: the exit code is that of a crash.
        """
        self._child = subprocess.Popen(self._command)
        while (code := self._child.poll()) is None:
            time.sleep(SECONDS_BETWEEN_POLLS)
        if code not in (*EXPECTED_CODES, FAILED):  # failures are recorded in the sweep's directory
            raise RuntimeError(f"{' '.join(self._command)} ended with code {code}")
        return code

    def checkpoint(self) -> Any:
        """Lets the command save, and returns the job to queue; submitit calls this to stop it."""
        import submitit

        if self._child is not None:
            self._child.terminate()
            until = time.monotonic() + SECONDS_TO_SAVE
            while self._child.poll() is None and time.monotonic() < until:
                time.sleep(SECONDS_BETWEEN_POLLS)
        return submitit.helpers.DelayedSubmission(Job(self._command))


def split(jobs: Sequence[Configurations], count: int) -> list[Configurations]:
    """Splits jobs of several configurations, the largest first, until there are `count`."""
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


def _command(
    directory: SweepDirectory, job: Configurations, strategy: Strategy, accept_changes: bool
) -> list[str]:
    here = [sys.executable, "-m", "gan_jax", "sweep", str(directory.path.resolve())]
    accepted = ["--accept-changes"] if accept_changes else []
    return [*here, "--trust", *accepted, "--strategy", strategy, "--only", *job]


def _run(command: Sequence[str], log: Path, stopping: Callable[[], bool]) -> int:
    told = False
    with log.open("ab") as output:
        # In a session of its own, as Ctrl-C on the terminal would reach it a second time.
        child = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        while child.poll() is None:
            if stopping() and not told:
                child.terminate()
                told = True
            time.sleep(SECONDS_BETWEEN_POLLS)
    return child.returncode
