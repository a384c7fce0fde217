"""Messages about rollbacks."""

import jax

from gan_jax.guard import Guard, Watch
from gan_jax.training.hooks.base import Hook, Moment


class Rollbacks(Hook):
    """Reports, after each call, the runs whose guard rolled them back since the previous call."""

    def __init__(self, guard: Guard, watch: Watch):
        """Takes the guard and its counts so far, arrays [seeds]."""
        self._guard = guard
        self._reported = jax.device_get(watch.returns).tolist()

    def act(self, moment: Moment) -> None:
        """Reports them."""
        for run in moment.runs:
            count = moment.values(run)["rollbacks"]
            if count > self._reported[run.position]:
                often = "once, after" if count == 1 else f"{count:g} times, each time after"
                moment.runs.say(
                    f"by step {moment.step} the guard has rolled back {often} "
                    f"{self._guard.after} steps in a row that were not finite; learning rates are "
                    f"now multiplied by {self._guard.learning_rate**count:g}",
                    run,
                )
            self._reported[run.position] = count
