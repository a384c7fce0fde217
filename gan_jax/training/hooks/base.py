"""What a hook is: something that is done at certain steps of training."""

import abc
import dataclasses

from gan_jax import gan
from gan_jax.runtime import devices
from gan_jax.training.session import ActiveRuns, RunInTraining


@dataclasses.dataclass(frozen=True)
class Moment:
    """What the training loop knows at the end of one compiled call.

    Attributes:
        step: steps done so far, at least 1.
        count: steps of the call.
        runs: those that have not diverged.
        metrics: arrays [seeds] of the call's last step, by name; in host memory when hooks act.
        is_last: training ends with this step.
        is_stopping: a signal has asked to stop, and training stops here.
        steps_per_second: during the call.
        states: of all seeds [seeds, ...], in host memory; None where no hook needs them.
    """

    step: int
    count: int
    runs: ActiveRuns
    metrics: gan.Metrics
    is_last: bool
    is_stopping: bool
    steps_per_second: float = 0.0
    states: gan.GANState | None = None

    def values(self, run: RunInTraining) -> dict[str, float]:
        """Returns the metrics of one run."""
        return {name: float(of_seeds[run.position]) for name, of_seeds in self.metrics.items()}

    def state(self, run: RunInTraining) -> gan.GANState:
        """Returns a copy of one run's state, on a device of this process."""
        return devices.own_copy(run.select(self.states))

    def is_due(self, hook: "Hook") -> bool:
        """Whether a hook acts at this moment."""
        return self.is_last or hook.due(self.step) or (self.is_stopping and hook.acts_on_stop)

    def needs_states(self, hook: "Hook") -> bool:
        """Whether a hook reads the states at this moment."""
        return self.is_last or self.is_stopping or hook.needs_states(self.step)


class Hook(abc.ABC):
    """Something that is done at certain steps of training: written, shown, or checked.

    A hook acts at the multiples of each of its intervals, at which compiled calls end, and at the
    last step. One without intervals acts after every call, and is given metrics only. Hooks act in
    the order of `make_hooks`: a checkpoint is saved after all else of its step is written. After a
    crash the steps since the last checkpoint come again, with the same bits, so what a hook writes
    for a step must replace what it wrote for it before.

    Where hooks need no states at a step, they act on its metrics while the devices already compute
    the next call. Of several processes each has its hooks act; what all but the first write is
    thrown away.

    Attributes:
        every: intervals in steps, each at least 1; the last step alone for a hook of the end.
        acts_on_stop: acts also where a signal stops training.
    """

    every: tuple[int, ...] = ()
    acts_on_stop: bool = False

    def due(self, step: int) -> bool:
        """Whether the hook acts at a step; it always does at the last one."""
        return not self.every or any(step % every == 0 for every in self.every)

    def needs_states(self, step: int) -> bool:
        """Whether `act` reads the states at a step; they are always there at the last one."""
        return bool(self.every) and self.due(step)

    @abc.abstractmethod
    def act(self, moment: Moment) -> None:
        """Does what is due, for each of `moment.runs`."""
