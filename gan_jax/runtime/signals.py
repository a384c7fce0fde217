"""Signals that stop training: the first one asks the loop to save and stop."""

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

# SLURM, as configured by submitit, announces the end of a job to all its processes by SIGUSR2.
ASKING = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)
ECHO_SECONDS = 1.0  # a wrapper may pass on a Ctrl-C that the terminal has sent as well: one request


def exit_at_once(codes: Mapping[int, int]) -> None:
    """Ends the process with the given code at each of these signals.

    For the time before a command runs, in which nothing can be lost: an exception in the midst of
    an import would be caught or shown by the library that is imported. Other handlers take its
    place later, such as `raise_interrupts` and `stop_signals`.
    """

    def handle(number, frame):
        os._exit(codes[number])

    for number in codes:
        signal.signal(number, handle)


def raise_interrupts() -> None:
    """Makes Ctrl-C raise KeyboardInterrupt, as in Python itself."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def leave_signals() -> None:
    """Ignores Ctrl-C and SIGTERM, for the moment in which Python ends with a code of its own.

    Python takes back handlers while it ends, after which a signal would decide the code.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Catches the first signal that asks to stop; a later one has its usual effect.

    Yields a function that tells whether a signal has come. Outside the main thread, which alone may
    handle signals, nothing is caught.
    """
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
            with suppress(OSError):  # Ctrl-C also ends the program the output is piped into
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
