"""Silencing tracebacks of libraries' background threads, whose failures our own errors report."""

import logging
import sys
import threading
import traceback
import warnings
from typing import Any

LIBRARIES = ("orbax", "tensorboardX")
LONGEST = 200  # characters of a message


def keep_back() -> None:
    """Reduces failures in threads of Orbax and tensorboardX to one line, for the first of them.

    A single damaged or unwritable file makes them print hundreds of tracebacks, some of them at
    exit. A failed checkpoint is raised in the main thread as well.
    """
    of_threads, of_others = threading.excepthook, sys.unraisablehook
    said = False

    def say_first(error: BaseException) -> None:
        nonlocal said
        if not said:
            first = str(error).strip().partition("\n")[0][:LONGEST]
            message = f"a background thread failed: {type(error).__name__}: {first}"
            print(f"warning: {message}", file=sys.stderr)
        said = True

    def in_thread(found: Any) -> None:
        if _is_of_libraries(found.exc_traceback):
            say_first(found.exc_value)
        else:
            of_threads(found)

    def elsewhere(found: Any) -> None:
        if _is_of_libraries(found.exc_traceback) and isinstance(found.exc_value, OSError):
            say_first(found.exc_value)
        elif str(found.exc_value) != "Event loop is closed":
            of_others(found)

    threading.excepthook, sys.unraisablehook = in_thread, elsewhere
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)


def _is_of_libraries(found: Any) -> bool:
    modules = (frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(found))
    return any(module.partition(".")[0] in LIBRARIES for module in modules)
