"""Searches: Optuna proposes configurations, each is trained with all seeds and scored."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_jax.common.errors import RequestError
from gan_jax.common.reading import check_regular
from gan_jax.evaluation.during_training import final_score
from gan_jax.evaluation.evaluator import NO_NETWORK, network_of
from gan_jax.experiment import Experiment
from gan_jax.metrics.names import METRICS
from gan_jax.sweeps import plan, train
from gan_jax.sweeps.grid import Choice, Range, configuration
from gan_jax.sweeps.plan import Sweep, SweepDirectory
from gan_jax.sweeps.train import Result
from gan_jax.training.strategy import Strategy

STORAGE = "optuna.log"
NAME = "setting"  # key under which Optuna's records have the name of a configuration


@dataclass(frozen=True)
class Space:
    """The configurations that a search chooses from.

    Attributes:
        experiment: the experiment that choices are applied to.
        axes: one choice is made of each.
        ranges: one value is taken of each.
        seeds: those of every configuration.
        file: the Python file that the experiment comes from.
    """

    experiment: Experiment
    axes: Sequence[Sequence[Choice]]
    ranges: Sequence[Range]
    seeds: tuple[int, ...]
    file: Path

    def propose(self, trial: Any) -> Sweep:
        """Lets a trial of Optuna choose a configuration, and returns the sweep of it alone.

        Raises:
            ValueError: the trial belongs to a search with other choices.
        """
        choices = []
        for axis in self.axes:
            words = [choice.word for choice in axis]
            word = trial.suggest_categorical("+".join(axis[0].fields), words)
            choices.append(axis[words.index(word)])
        for each in self.ranges:
            suggest = trial.suggest_int if each.is_integer else trial.suggest_float
            name = "+".join(each.fields)
            choices.append(each.choose(suggest(name, each.low, each.high, log=each.logarithmic)))
        return Sweep(dict([configuration(self.experiment, choices)]), self.seeds, self.file)


def search(
    directory: SweepDirectory,
    space: Space,
    trials: int,
    strategy: Strategy,
    announce: Callable[[str], None],
    accept_changes: bool = False,
) -> Result:
    """Lets Optuna's TPE (Bergstra et al., 2011) propose configurations until there are `trials`.

    The value of a configuration is the mean over its seeds of the experiment's best_metric at the
    last step; a configuration with a seed that diverges counts as failed. The best value of many is
    biased by luck: train that configuration with other seeds for a fair estimate. Proposals and
    values are kept in the sweep's directory, so that a search can resume; proposals do not depend
    on where it was interrupted.

    Args:
        directory: where the sweep is.
        space: what to choose from.
        trials: number of configurations, including those that were tried before.
        strategy: how the seeds share the devices.
        announce: prints a message about progress.
        accept_changes: as that of `training.train.train`.

    Returns:
        How it ended; `unfinished` if a signal stopped it.

    Raises:
        RequestError: Optuna is not installed, the experiment is not evaluated by its best_metric,
            or the search in this directory had other choices.
    """
    try:
        import optuna
    except ImportError as error:
        raise RequestError("--search: needs Optuna: pip install 'gan_jax[search]'") from error
    metric = space.experiment.best_metric
    if space.experiment.evaluate_every is None:
        raise RequestError("--search: the experiment is not evaluated; give --evaluate-every N")
    if network_of(space.experiment) is None:
        raise RequestError(f"--search: {metric} cannot be measured: {NO_NETWORK}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    plan.prepare(directory, Sweep({}, space.seeds, space.file))
    with plan.driving(directory):
        storage = directory.path / STORAGE
        if storage.exists():
            check_regular(storage)  # as Optuna would wait for somebody to write into a FIFO
        backend = optuna.storages.journal.JournalFileBackend(str(storage))
        study = optuna.create_study(
            storage=optuna.storages.JournalStorage(backend),
            study_name="search",
            direction="maximize" if METRICS[metric].better == "higher" else "minimize",
            load_if_exists=True,
        )
        begun = [t for t in study.get_trials(deepcopy=False) if not t.state.is_finished()]
        while begun or len(study.trials) < trials:
            # A seed for each trial, so that proposals do not depend on interruptions.
            number = begun[0].number if begun else len(study.trials)
            study.sampler = optuna.samplers.TPESampler(seed=number)
            trial = optuna.Trial(study, begun.pop(0)._trial_id) if begun else study.ask()
            try:
                proposed = space.propose(trial)
            except ValueError as error:
                if isinstance(error, RequestError):
                    raise
                was = f"the search in {directory.path} had other choices"
                raise RequestError(f"{was}: {error}") from error
            plan.prepare(directory, proposed)
            result = train.train_sweep(directory, proposed, strategy, announce, accept_changes)
            if result.unfinished:
                return result
            (name,) = proposed.configurations
            trial.set_user_attr(NAME, name)
            value = _value(directory, proposed, name)
            if value is None:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(trial, value)
                announce(f"trial {trial.number}: {metric} {value:.4g}: {name}")
    done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if done:
        announce(f"best {metric} {study.best_value:.4g}: {study.best_trial.user_attrs[NAME]}")
    failed = train.failures(directory, plan.read(directory))
    return Result(False, failed, not done and not failed)


def _value(directory: SweepDirectory, proposed: Sweep, name: str) -> float | None:
    """Averages the scores of the seeds; None if one has diverged or has no score."""
    scores = [
        None if run.divergence.exists() else final_score(run, experiment)
        for run, experiment in proposed.runs(directory, name).items()
    ]
    if any(score is None or not math.isfinite(score) for score in scores):
        return None
    return sum(scores) / len(scores)
