"""Lines of metrics.jsonl."""

import math

from gan_jax.experiment import Experiment
from gan_jax.training.hooks.base import Hook, Moment


class Metrics(Hook):
    """Writes a line of metrics for each run; at the steps of pictures it has diagnostics."""

    def __init__(self, experiment: Experiment):
        """Acts every `log_every` steps, and every `sample_every` steps with diagnostics."""
        self.every = (experiment.log_every, experiment.sample_every)
        self._log_every, self._sample_every = self.every

    def needs_states(self, step: int) -> bool:
        """Only diagnostics read the states."""
        return step % self._sample_every == 0

    def act(self, moment: Moment) -> None:
        """Writes the lines; leaves out values that are not finite, which JSON does not have."""
        logging = moment.is_last or moment.step % self._log_every == 0
        diagnosing = moment.is_last or self.needs_states(moment.step)
        for run in moment.runs:
            figures = run.diagnostics(moment.state(run)) if diagnosing else {}
            if logging or figures:
                values = moment.values(run)
                finite = {name: value for name, value in values.items() if math.isfinite(value)}
                run.log.metrics(moment.step, finite | figures)
