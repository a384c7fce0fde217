"""How fast training runs, and how many steps each compiled call should therefore do."""

import math
import time

# About how long one call takes (at most half as long again), and so how long a signal or the
# progress bar may have to wait. Each call allocates its buffers anew, which costs the reference
# recipe a fifth of a step on CPU, so calls of single steps are too short.
SECONDS_PER_CALL = 2.0


class Clock:
    """Measures steps per second.

    Attributes:
        steps_per_second: between the last two ticks; 0 before the first.
    """

    def __init__(self):
        """Starts to measure."""
        self.steps_per_second = 0.0
        self.restart()

    def restart(self) -> None:
        """Leaves the time since the last tick out of the measurement."""
        self._last = time.monotonic()

    def tick(self, count: int) -> None:
        """Records that `count` more steps are done."""
        now = time.monotonic()
        self.steps_per_second = count / max(now - self._last, 1e-6)
        self._last = now

    def next_count(self, due: int, limit: int) -> int:
        """Returns how many steps the next call should do.

        The steps until a hook is due are split evenly over calls, as a short last call would take
        longer per step.

        Args:
            due: steps until a hook is due, at least 1.
            limit: the most steps that a call can do.
        """
        wanted = max(1.0, SECONDS_PER_CALL * self.steps_per_second)
        calls = max(round(due / wanted), math.ceil(due / limit))
        return math.ceil(due / calls)
