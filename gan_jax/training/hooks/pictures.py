"""Pictures of samples from fixed latents."""

from gan_jax.experiment import Experiment
from gan_jax.sampling import sheets
from gan_jax.training.hooks.base import Hook, Moment
from gan_jax.training.logs import Display


class Pictures(Hook):
    """Saves a picture of each run's samples."""

    def __init__(self, experiment: Experiment):
        """Acts every `sample_every` steps."""
        self.every = (experiment.sample_every,)

    def act(self, moment: Moment) -> None:
        """Saves the pictures."""
        for run in moment.runs:
            sheets.save_step(run.experiment, moment.state(run), run.directory, moment.step)


class FinalPictures(Hook):
    """Saves each run's final picture and film strip, made of its earlier pictures.

    It acts after `Checkpoints`, as a run that has a final picture counts as finished.
    """

    def __init__(self, display: Display, last_step: int):
        """Acts at the last step; says on `display` what the film strip leaves out."""
        self.every = (last_step,)
        self._display = display

    def act(self, moment: Moment) -> None:
        """Saves the pictures."""
        for run in moment.runs:
            state = moment.state(run)
            sheets.save_final(run.experiment, state, run.directory, self._display.say)
