"""Training one run on several hosts, with a process on each.

Every process does the same work, on its own devices and its part of each batch; only the first one
writes files.
"""

import os
import socket
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import jax
import numpy as np
from jax.experimental import multihost_utils

from gan_jax.common.errors import RequestError
from gan_jax.common.exit_codes import WRONG_REQUEST
from gan_jax.common.validation import is_number

SECONDS_TO_MEET = 120  # for which processes wait for each other at the start
SECONDS_TO_MISS = 30  # of silence after which a process counts as lost and the others end


def join(
    coordinator: str | None = None,
    processes: int | None = None,
    process_id: int | None = None,
) -> None:
    """Connects to the other processes of a run; does nothing if there are none.

    Must be called before a JAX backend starts. Without arguments, the processes are detected if
    SLURM (`srun` with several tasks) or a TPU pod has started them. If not all of them connect
    within `SECONDS_TO_MEET`, the interpreter exits with a message and code 2, where JAX would
    abort.

    Args:
        coordinator: HOST:PORT of the first process.
        processes: number of processes.
        process_id: index of this process, from 0.

    Raises:
        RequestError: the arguments are incomplete or invalid, or the coordinator's port is taken or
            does not answer.
    """
    given = coordinator, processes, process_id
    if any(each is not None for each in given):
        if any(each is None for each in given):
            raise RequestError("--coordinator, --processes and --process-id: give all three")
        if processes < 1 or not 0 <= process_id < processes:
            wrong = f"--processes {processes} --process-id {process_id}"
            last = "" if processes < 1 else f" to {processes - 1}"
            raise RequestError(f"{wrong}: processes are numbered from 0{last}")
        host, colon, port = coordinator.rpartition(":")
        if not (host and colon and is_number(port) and 0 < int(port) < 2**16):
            raise RequestError(
                f"--coordinator {coordinator}: give HOST:PORT, the port from 1 to 65535"
            )
        if processes > 1:
            print(f"waiting for {processes - 1} other processes at {coordinator}", file=sys.stderr)
        if process_id:
            _wait_for(host, int(port))
        else:
            _check_free(coordinator, int(port))
    elif not _started_together():
        return
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    patience = threading.Timer(SECONDS_TO_MEET, _give_up, [coordinator])
    patience.daemon = True
    patience.start()
    try:
        jax.distributed.initialize(
            *given,
            initialization_timeout=2 * SECONDS_TO_MEET,
            heartbeat_timeout_seconds=SECONDS_TO_MISS,
            shutdown_timeout_seconds=SECONDS_TO_MISS,
        )
    except (RuntimeError, ValueError) as error:
        first = str(error).splitlines()[0]
        where = f" at {coordinator}" if coordinator else ""
        raise RequestError(f"the processes could not meet{where}: {first}") from error
    finally:
        patience.cancel()


def count() -> int:
    """Returns the number of processes that train together."""
    return jax.process_count()


def is_first() -> bool:
    """Whether this is the first process, which reads, decides and writes for all."""
    return jax.process_index() == 0


def least(value: int) -> int:
    """Returns the smallest of all processes' values."""
    return value if count() == 1 else min(_all(value))


def any_of(value: bool) -> bool:
    """Whether the value is true in any process."""
    return value if count() == 1 else any(_all(value))


def agree(text: str) -> bool:
    """Whether all processes have the same text."""
    return count() == 1 or len(set(_all(zlib.crc32(text.encode()) % 2**31))) == 1


def meet() -> None:
    """Waits until all processes have reached this call."""
    any_of(False)


@contextmanager
def first_decides() -> Iterator[bool]:
    """Runs a block of which a part is for the first process only; the others wait at its end.

    Yields True in the first process and False in the others.

    Raises:
        RequestError: in the others, if the first has failed.
    """
    try:
        yield is_first()
    except BaseException:
        any_of(True)
        raise
    if any_of(False):
        raise RequestError("the first process cannot start; see its own message")


@contextmanager
def ending_together(*expected: type[Exception]) -> Iterator[None]:
    """Exits with one message and code 1 when another process is lost, where JAX would abort.

    Args:
        expected: exceptions that all processes raise together, and that are passed on.
    """
    try:
        yield
    except Exception as error:
        if count() == 1 or isinstance(error, expected):
            raise
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        print(f"error: this process or another one has failed: {first}", file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)  # an orderly exit would wait for the others, which are gone


def _give_up(coordinator: str | None) -> None:
    """Exits before JAX does, which would print a C++ stack trace and dump core."""
    where, advice = "", "all tasks of the job must start within that time"
    if coordinator:
        where = f" at {coordinator}"
        advice = (
            "start all of them with the same --coordinator and --processes, and make sure that no "
            "other program uses that port"
        )
    print(
        f"error: not all processes met{where} within {SECONDS_TO_MEET} seconds: {advice}",
        file=sys.stderr,
    )
    sys.stderr.flush()
    os._exit(WRONG_REQUEST)  # the main thread is waiting in C++; nothing has been written yet


def _check_free(coordinator: str, port: int) -> None:
    """Checks that no other program uses the port; JAX itself would crash."""
    try:
        socket.create_server(("", port)).close()
    except OSError as error:
        raise RequestError(
            f"--coordinator {coordinator}: this process cannot listen on port {port}: {error}; "
            "give another port to all processes"
        ) from error


def _wait_for(host: str, port: int) -> None:
    """Waits until the coordinator answers; JAX itself would abort this process if none does."""
    until = time.monotonic() + SECONDS_TO_MEET
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
            return
        except OSError as error:
            if time.monotonic() > until:
                raise RequestError(
                    f"no coordinator at {host}:{port} within {SECONDS_TO_MEET} seconds: {error}"
                ) from error
        time.sleep(0.2)


def _all(value: int) -> list[int]:
    """Returns the values of all processes."""
    return multihost_utils.process_allgather(np.array(value, np.int32)).tolist()


def _started_together() -> bool:
    on_slurm = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1
    return on_slurm or "," in os.environ.get("TPU_WORKER_HOSTNAMES", "")
