"""Lines of evaluation.jsonl."""

from gan_jax.common.errors import RequestError
from gan_jax.experiment import Experiment
from gan_jax.training.hooks.base import Hook, Moment


class Scores(Hook):
    """Measures each run's samples; if that is impossible, says so and lets training go on."""

    def __init__(self, experiment: Experiment):
        """Acts every `evaluate_every` steps."""
        self.every = (experiment.evaluate_every,)

    def act(self, moment: Moment) -> None:
        """Measures the samples and writes the scores."""
        for run in moment.runs:
            try:
                rows = run.light_evaluation.rows(moment.state(run), moment.step)
            except RequestError as error:
                moment.runs.say(f"step {moment.step} is not evaluated: {error}", run)
            else:
                run.log.evaluation(moment.step, rows)
