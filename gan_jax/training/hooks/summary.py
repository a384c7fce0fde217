"""Messages at the end of training."""

from gan_jax.evaluation.during_training import last_scores
from gan_jax.runs import checkpoints
from gan_jax.training.hooks.base import Hook, Moment
from gan_jax.training.session import RunInTraining


class Summary(Hook):
    """Says how each run went and where its files are."""

    def __init__(self, last_step: int, brief: bool):
        """Acts at the last step; in one line for each run if `brief`."""
        self.every = (last_step,)
        self._brief = brief

    def act(self, moment: Moment) -> None:
        """Prints the summary."""
        for run in moment.runs:
            guard = run.select(moment.states).guard
            if guard is not None and (skipped := int(guard.skipped)):
                message = f"the guard skipped {skipped:,} of {moment.step:,} steps"
                moment.runs.say(message, run)
            moment.runs.say(_in_words(run, self._brief), run)


def _in_words(run: RunInTraining, brief: bool) -> str:
    directory, experiment = run.directory, run.experiment
    path = directory.path
    scores = last_scores(directory, experiment) if experiment.evaluate_every else None
    if brief:
        return f"finished: {path}" + (f" · {scores}" if scores else "")
    if not experiment.evaluate_every:
        scores = f"none, as evaluate_every is not set: gan-jax evaluate {path}"
    final = directory.final_picture
    beside = (final.with_suffix(suffix).name for suffix in experiment.data.final_suffixes)
    return "\n".join(
        [
            f"finished: {path}",
            *([f"  scores      {scores}"] if scores else []),
            *_best(run),
            f"  samples     {', '.join([str(final), *beside])}",
            f"  film strip  {directory.film_strip}",
            f"  metrics     {directory.metrics}",
            f"  more        gan-jax sample {path} --count 64 --out more.png",
        ]
    )


def _best(run: RunInTraining) -> list[str]:
    steps = checkpoints.steps(run.directory.best)
    if run.experiment.evaluate_every and not steps:
        return [f"  best        none is kept, as {run.experiment.best_metric} was not measured"]
    return [f"  best        step {step}: --step best" for step in steps]
