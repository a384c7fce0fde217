"""Searches: Optuna proposes settings, and each is trained with all seeds and judged by a metric."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_jax.common.errors import RequestError
from gan_jax.evaluation.during_training import final_score
from gan_jax.experiment import Experiment
from gan_jax.metrics.names import BETTER
from gan_jax.sweeps import plan, train
from gan_jax.sweeps.grid import Choice, Range, setting
from gan_jax.sweeps.plan import Sweep, SweepDirectory
from gan_jax.sweeps.train import Result
from gan_jax.training.parallel_seeds import Strategy

STORAGE = "optuna.log"
NAME = "setting"  # of a trial, in Optuna's records


@dataclass(frozen=True)
class Space:
    """What a search chooses from.

    Attributes:
        experiment: what the choices change.
        axes: of which one choice each is made.
        ranges: of which a value each is taken.
        seeds: of each setting.
        file: the Python file that it comes from.
    """

    experiment: Experiment
    axes: Sequence[Sequence[Choice]]
    ranges: Sequence[Range]
    seeds: tuple[int, ...]
    file: Path

    def propose(self, trial: Any) -> Sweep:
        """Lets a trial of Optuna choose: a sweep of one setting.

        Raises:
            ValueError: the trial belongs to a search among other choices.
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
        return Sweep(dict([setting(self.experiment, choices)]), self.seeds, self.file)


def search(
    directory: SweepDirectory,
    space: Space,
    trials: int,
    strategy: Strategy,
    announce: Callable[[str], None],
) -> Result:
    """Lets Optuna's TPE (Bergstra et al., 2011) propose settings until there are `trials`.

    The value of a setting is the mean over its seeds of the experiment's best_metric at the last
    step; a setting of which a seed diverges counts as failed. The best value is that of the
    luckiest of many: train the setting with other seeds to know it. What was proposed and found
    lies in the sweep's directory, so that a search goes on; its proposals do not depend on where it
    was interrupted.

    Args:
        directory: where the sweep is.
        space: what to choose from.
        trials: how many settings, with those that are there already.
        strategy: how the seeds share the devices.
        announce: says what happens.

    Returns:
        How it ended; `unfinished` if a signal came.

    Raises:
        RequestError: Optuna is not installed, the experiment is not evaluated, or the search that
            is there was among other choices.
    """
    try:
        import optuna
    except ImportError as error:
        raise RequestError("--search: needs Optuna: pip install 'gan_jax[search]'") from error
    metric = space.experiment.best_metric
    if space.experiment.evaluate_every is None:
        raise RequestError("--search: the experiment is not evaluated; give --evaluate-every N")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    plan.prepare(directory, Sweep({}, space.seeds, space.file))
    with plan.driving(directory):
        backend = optuna.storages.journal.JournalFileBackend(str(directory.path / STORAGE))
        study = optuna.create_study(
            storage=optuna.storages.JournalStorage(backend),
            study_name="search",
            direction="maximize" if BETTER[metric] == "higher" else "minimize",
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
                was = f"the search in {directory.path} was among other choices"
                raise RequestError(f"{was}: {error}") from error
            plan.prepare(directory, proposed)
            result = train.train_sweep(directory, proposed, strategy, announce)
            if result.unfinished:
                return result
            (name,) = proposed.settings
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
    """Mean over the seeds; None where one has diverged or has no score: luck is no merit."""
    scores = [
        None if run.divergence.exists() else final_score(run, experiment)
        for run, experiment in proposed.runs(directory, name).items()
    ]
    if any(score is None or not math.isfinite(score) for score in scores):
        return None
    return sum(scores) / len(scores)
