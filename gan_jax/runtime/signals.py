"""Signals that end training: the first one is a wish, which the loop grants after saving."""

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

# SLURM, as submitit asks it to, announces the end of a job by SIGUSR2, to all of its processes.
ASKING = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)
ECHO_SECONDS = 1.0  # wrappers pass a Ctrl-C on that the terminal has sent as well: that is one


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Turns the first signal that asks to stop into a flag; a later one acts as it always does."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop.is_set  # only the main thread may handle signals
        return
    first = math.inf

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(number, frame):
        nonlocal first
        stop.set()
        if math.isinf(first):
            first = time.monotonic()
            with suppress(OSError):  # Ctrl-C also ends what the output is piped into
                name = signal.Signals(number).name
                os.write(2, f"\n{name}: the state is saved when these steps are done\n".encode())
        if time.monotonic() - first > ECHO_SECONDS:
            restore()
            signal.raise_signal(number)

    before = {number: signal.signal(number, handle) for number in ASKING}
    try:
        yield stop.is_set
    finally:
        restore()
