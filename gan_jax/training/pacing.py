"""How fast training goes, and from that how many steps one compiled call holds."""

import math
import time

# About how long one call takes, for which a signal or the progress bar may have to wait; at most
# half as long again. Each call gets its buffers anew, which costs the reference a fifth of a step
# on CPU, so calls of single steps are too short.
SECONDS_PER_CALL = 2.0


class Clock:
    """Measures steps per second.

    Attributes:
        steps_per_second: as of the last tick; 0 before it.
    """

    def __init__(self):
        """Starts to measure."""
        self.steps_per_second = 0.0
        self.restart()

    def restart(self) -> None:
        """Leaves out what has passed since the last tick."""
        self._last = time.monotonic()

    def tick(self, count: int) -> None:
        """Notes that `count` more steps are done."""
        now = time.monotonic()
        self.steps_per_second = count / max(now - self._last, 1e-6)
        self._last = now

    def next_count(self, due: int, limit: int) -> int:
        """How many steps the next call holds.

        Those until something is due are split evenly, as a short rest takes longer for each step.

        Args:
            due: after so many steps, at least 1, something is due.
            limit: of a call.
        """
        wanted = max(1.0, SECONDS_PER_CALL * self.steps_per_second)
        calls = max(round(due / wanted), math.ceil(due / limit))
        return math.ceil(due / calls)
