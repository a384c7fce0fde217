"""Searches: Optuna proposes settings, and each is trained with all seeds and judged by a metric."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gan_jax import settings, sweep
from gan_jax.errors import RequestError
from gan_jax.evaluation.during_training import final_score
from gan_jax.experiment import Experiment
from gan_jax.metrics.names import BETTER
from gan_jax.seeds import Strategy
from gan_jax.settings import Axis, Range
from gan_jax.sweep import Result, Sweep, SweepDirectory

STORAGE = "optuna.log"
NAME = "setting"  # of a trial, in Optuna's records


def search(
    directory: SweepDirectory,
    base: Sweep,
    experiment: Experiment,
    axes: Sequence[Axis],
    ranges: Sequence[Range],
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
        base: a sweep without settings: seeds and file.
        experiment: what the proposals change.
        axes: fields of which one value each is chosen.
        ranges: fields whose value is taken from an interval.
        trials: how many settings, with those that are there already.
        strategy: how the seeds share the devices.
        announce: says what happens.

    Raises:
        RequestError: Optuna is not installed, or the experiment is not evaluated.
    """
    try:
        import optuna
    except ImportError as error:
        raise RequestError("--search: needs Optuna: pip install 'gan_jax[search]'") from error
    if experiment.evaluate_every is None:
        raise RequestError("--search: the experiment is not evaluated; give --evaluate-every N")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sweep.prepare(directory, base)
    with sweep.driving(directory):
        backend = optuna.storages.journal.JournalFileBackend(str(directory.path / STORAGE))
        study = optuna.create_study(
            storage=optuna.storages.JournalStorage(backend),
            study_name="search",
            direction="maximize" if BETTER[experiment.best_metric] == "higher" else "minimize",
            load_if_exists=True,
        )
        return _propose(
            study, directory, base, experiment, axes, ranges, trials, strategy, announce
        )


def _propose(
    study: Any,
    directory: SweepDirectory,
    base: Sweep,
    experiment: Experiment,
    axes: Sequence[Axis],
    ranges: Sequence[Range],
    trials: int,
    strategy: Strategy,
    announce: Callable[[str], None],
) -> Result:
    import optuna

    begun = [t for t in study.get_trials(deepcopy=False) if not t.state.is_finished()]
    while begun or len(study.trials) < trials:
        # A seed for each trial, so that proposals do not depend on interruptions.
        number = begun[0].number if begun else len(study.trials)
        study.sampler = optuna.samplers.TPESampler(seed=number)
        trial = optuna.Trial(study, begun.pop(0)._trial_id) if begun else study.ask()
        try:
            values = {str(axis): trial.suggest_categorical(str(axis), axis.words) for axis in axes}
            values |= {str(each): _suggest(trial, each) for each in ranges}
        except ValueError as error:  # Optuna's, of choices that are not those of before
            raise RequestError(f"the search in {directory.path} was another: {error}") from error
        ((name, proposed),) = _setting(experiment, axes, values).items()
        one = Sweep({name: proposed}, base.seeds, base.file)
        sweep.prepare(directory, one)
        result = sweep.train_sweep(directory, one, strategy, announce)
        if result.unfinished:
            return result
        trial.set_user_attr(NAME, name)
        value = _value(directory, one, name)
        if value is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, value)
            announce(f"trial {trial.number}: {experiment.best_metric} {value:.4g}: {name}")
    done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if done:
        name = study.best_trial.user_attrs[NAME]
        announce(f"best {experiment.best_metric} {study.best_value:.4g}: {name}")
    failed = sweep.failures(directory, sweep.read(directory))
    return Result(False, failed, not done and not failed)


def _suggest(trial: Any, interval: Range) -> float:
    suggest = trial.suggest_int if interval.is_integer else trial.suggest_float
    drawn = suggest(str(interval), interval.low, interval.high, log=interval.logarithmic)
    return interval.rounded(drawn)


def _setting(
    experiment: Experiment, axes: Sequence[Axis], values: Mapping[str, Any]
) -> settings.Settings:
    chosen = []
    for axis in axes:
        position = axis.words.index(values[str(axis)])
        chosen.append(Axis(axis.fields, (axis.values[position],), (axis.words[position],)))
    drawn = {name: value for name, value in values.items() if name not in map(str, axes)}
    return settings.product(experiment, chosen, [drawn] if drawn else [])


def _value(directory: SweepDirectory, one: Sweep, name: str) -> float | None:
    """Mean over the seeds; None where one has diverged or has no score: luck is no merit."""
    scores = [
        None if run.divergence.exists() else final_score(run, experiment)
        for run, experiment in one.runs(directory, name).items()
    ]
    if any(score is None or not math.isfinite(score) for score in scores):
        return None
    return sum(scores) / len(scores)
