"""What libraries' background threads print of a failure that our own error tells once."""

import logging
import sys
import threading
import warnings
from typing import Any

LONGEST = 200  # characters of a message


def keep_back() -> None:
    """Lets the threads of this process print one line of their first failure, and no more.

    One damaged or unwritable file makes those of Orbax and tensorboardX print hundreds of
    tracebacks, some when the process ends. What they fail to save or to load reaches the main
    thread as well.
    """
    before = sys.unraisablehook
    said: set[str] = set()

    def say_first(error: BaseException | None) -> None:
        if not said:
            first = str(error).strip().splitlines()[:1]
            said.add(f"warning: a background thread failed: {''.join(first)[:LONGEST]}")
            print(*said, file=sys.stderr)

    def unraisable(found: Any) -> None:
        if isinstance(found.exc_value, OSError):
            say_first(found.exc_value)
        elif str(found.exc_value) != "Event loop is closed":
            before(found)

    sys.unraisablehook = unraisable
    threading.excepthook = lambda found: say_first(found.exc_value)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
