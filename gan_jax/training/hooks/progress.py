"""The progress bar."""

from statistics import fmean

from gan_jax.experiment import Experiment
from gan_jax.training.hooks.base import Hook, Moment
from gan_jax.training.logs import Display


class Progress(Hook):
    """Shows, after every call, step, speed and mean metrics of the runs on the terminal."""

    def __init__(self, display: Display, experiment: Experiment):
        """Shows the figures of runs of `experiment` on `display`."""
        self._display = display
        self._experiment = experiment

    def act(self, moment: Moment) -> None:
        """Shows the figures."""
        examples = self._experiment.examples_per_step
        epoch = moment.step * examples / self._experiment.data.count
        speed = len(moment.runs) * examples * moment.steps_per_second
        of_runs = [moment.values(run) for run in moment.runs]
        means = {name: fmean(values[name] for values in of_runs) for name in moment.metrics}
        self._display.progress(moment.step, epoch, speed, means)
