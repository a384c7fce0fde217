"""Hooks of the training loop: all that is written, shown and checked, one file for each kind."""

from collections.abc import Sequence

from gan_jax import gan
from gan_jax.training.hooks.base import Hook, Moment
from gan_jax.training.hooks.checkpoints import BestCheckpoint, Checkpoints
from gan_jax.training.hooks.divergence import FiniteMetrics, FiniteParameters
from gan_jax.training.hooks.metrics import Metrics
from gan_jax.training.hooks.pictures import FinalPictures, Pictures
from gan_jax.training.hooks.progress import Progress
from gan_jax.training.hooks.rollbacks import Rollbacks
from gan_jax.training.hooks.scores import Scores
from gan_jax.training.hooks.summary import Summary
from gan_jax.training.session import Session

__all__ = ["Hook", "Moment", "make_hooks"]


def make_hooks(
    session: Session, states: gan.GANState, added: Sequence[Hook] = ()
) -> tuple[Hook, ...]:
    """Returns all hooks of a session, in the order in which they act.

    Args:
        session: what is trained.
        states: that it starts from, [seeds, ...].
        added: hooks of the user; they act before a checkpoint is saved.
    """
    experiment, guard = session.experiment, session.experiment.guard
    checkpoints = Checkpoints(experiment, session.started, len(session.runs))
    is_evaluated = experiment.evaluate_every is not None
    return (
        # A guard skips steps that are not finite; without one they end the run.
        Rollbacks(guard, states.guard) if guard else FiniteMetrics(),
        Metrics(experiment),
        Progress(session.display, experiment),
        FiniteParameters(checkpoints.every),
        Pictures(experiment),
        *([Scores(experiment)] if is_evaluated else []),
        *added,
        # A checkpoint never runs ahead of the metrics, pictures and scores of its step: after a
        # crash, what is missing of them comes again.
        checkpoints,
        *([BestCheckpoint(experiment)] if is_evaluated else []),
        FinalPictures(session.display, session.last_step),
        Summary(session.last_step, brief=session.several),
    )
