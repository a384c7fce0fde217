"""Several hosts: a process on each, which train one run together.

Every process does the same work on its devices and on its part of each batch; only what the first
one writes is kept.
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

SECONDS_TO_MEET = 120  # that processes wait for each other at the start
SECONDS_TO_MISS = 30  # of silence, until a process counts as gone and the others end


def join(
    coordinator: str | None = None,
    processes: int | None = None,
    process_id: int | None = None,
) -> None:
    """Joins the other processes, before JAX has started; does nothing where there are none.

    Without arguments they are found where SLURM (`srun` with several tasks) or a TPU pod has
    started them. Where not all come in time, this ends the interpreter with a message and exit
    code 2: JAX would abort it.

    Args:
        coordinator: HOST:PORT of the first process.
        processes: how many there are.
        process_id: which one this is, from 0.

    Raises:
        RequestError: the arguments make no sense, or the coordinator's port is taken or silent.
    """
    given = coordinator, processes, process_id
    if any(each is not None for each in given):
        if any(each is None for each in given):
            raise RequestError("--coordinator, --processes and --process-id: give all three")
        if processes < 1 or not 0 <= process_id < processes:
            wrong = f"--processes {processes} --process-id {process_id}"
            raise RequestError(f"{wrong}: the processes are numbered from 0")
        host, colon, port = coordinator.rpartition(":")
        if not (host and colon and port.isdecimal() and 0 < int(port) < 2**16):
            raise RequestError(
                f"--coordinator {coordinator}: give HOST:PORT, the port from 1 to 65535"
            )
        if processes > 1:
            print(f"meeting {processes - 1} more at {coordinator}", file=sys.stderr)
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
    """How many processes train together."""
    return jax.process_count()


def is_first() -> bool:
    """Whether this process is the one that reads, decides and writes for all."""
    return jax.process_index() == 0


def least(value: int) -> int:
    """The least of the values that the processes have."""
    return value if count() == 1 else min(_all(value))


def any_of(value: bool) -> bool:
    """Whether it is true in any process."""
    return value if count() == 1 else any(_all(value))


def agree(text: str) -> bool:
    """Whether all processes have the same text."""
    return count() == 1 or len(set(_all(zlib.crc32(text.encode()) % 2**31))) == 1


def meet() -> None:
    """Waits until all processes are here."""
    any_of(False)


@contextmanager
def first_decides() -> Iterator[bool]:
    """Lets the first process do what one must do alone: it gets True, the others False and wait.

    Raises:
        RequestError: in the others, if the first has failed.
    """
    try:
        yield is_first()
    except BaseException:
        any_of(True)
        raise
    if any_of(False):
        raise RequestError("the first process cannot start; it says why")


@contextmanager
def ending_together(*expected: type[Exception]) -> Iterator[None]:
    """Ends this process with one message when another has gone; JAX alone would abort it.

    Args:
        expected: exceptions that all processes raise, and that pass.
    """
    try:
        yield
    except Exception as error:
        if count() == 1 or isinstance(error, expected):
            raise
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        print(f"error: this process or another cannot go on: {first}", file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)  # nothing is waited for: the others are not there any more


def _give_up(coordinator: str | None) -> None:
    """Ends this process before JAX does, which would print a stack of C++ and dump its core."""
    where, advice = "", "all tasks of the job must start in that time"
    if coordinator:
        where = f" at {coordinator}"
        advice = (
            "start all of them with the same --coordinator and --processes, and see that nothing "
            "else answers there"
        )
    print(
        f"error: not all processes met{where} within {SECONDS_TO_MEET} seconds: {advice}",
        file=sys.stderr,
    )
    sys.stderr.flush()
    os._exit(WRONG_REQUEST)  # the main thread waits in C++; nothing has been written yet


def _check_free(coordinator: str, port: int) -> None:
    """Refuses a port that another program has; JAX itself would crash."""
    try:
        socket.create_server(("", port)).close()
    except OSError as error:
        raise RequestError(
            f"--coordinator {coordinator}: this process cannot listen at port {port}: {error}; "
            "give another port to all processes"
        ) from error


def _wait_for(host: str, port: int) -> None:
    """Waits for the coordinator; JAX itself would end this process where there is none."""
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
    """The values of all processes."""
    return multihost_utils.process_allgather(np.array(value, np.int32)).tolist()


def _started_together() -> bool:
    on_slurm = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1
    return on_slurm or "," in os.environ.get("TPU_WORKER_HOSTNAMES", "")
