"""Evaluates a run while it trains, and keeps its best checkpoint."""

import dataclasses
import shutil
import uuid
from collections.abc import Callable, Mapping
from typing import Self

import numpy as np

from gan_jax import gan, runs
from gan_jax.common.errors import RequestError
from gan_jax.evaluation.evaluator import Evaluator, how_drawn, network_of
from gan_jax.evaluation.rows import (
    NO_FEATURES,
    Row,
    features_fields,
    of_newest_held_out,
    read_rows,
    record_rows,
)
from gan_jax.experiment import Experiment
from gan_jax.metrics.estimate import of_mean
from gan_jax.metrics.names import METRICS
from gan_jax.runs import checkpoints
from gan_jax.runtime import devices, hosts

# `Experiment.best_metric` is measured besides.
MEASURED = tuple(name for name, metric in METRICS.items() if metric.while_training)
PRINTED = tuple(name for name, metric in METRICS.items() if metric.printed)

# Of the samples by which the best checkpoint is chosen: far from the small keys that users give to
# `gan-jax evaluate`, so that a checkpoint is not evaluated on the samples that chose it.
CHOOSING_KEY = 2**31


@dataclasses.dataclass(frozen=True, eq=False)
class LightEvaluation:
    """Measures the generator's moving average, or the generator itself if there is no average."""

    evaluator: Evaluator

    @classmethod
    def of(cls, experiment: Experiment) -> Self | None:
        """Prepares the references; returns None if the experiment is not evaluated.

        Raises:
            RequestError: there is nothing to measure with, the feature network does not fit the
                data, or samples do not allow the best_metric.
        """
        if experiment.evaluate_every is None:
            return None
        evaluator = Evaluator.of(experiment)
        lacking = evaluator.unavailable(experiment.evaluate_samples).get(experiment.best_metric)
        if lacking:
            raise RequestError(
                f"Experiment.best_metric = {experiment.best_metric!r}: needs {lacking}, which an "
                f"evaluation of {experiment.evaluate_samples} samples of this experiment lacks"
            )
        return cls(evaluator)

    def of_run(self, experiment: Experiment) -> Self:
        """Returns the same for another seed and other traced hyper-parameters."""
        return type(self)(dataclasses.replace(self.evaluator, experiment=experiment))

    def rows(self, state: gan.GANState, step: int) -> list[Row]:
        """Measures one state, which is at `step`, and returns lines for evaluation.jsonl.

        Raises:
            RequestError: it cannot be measured; its samples are not finite, for example.
        """
        experiment, evaluator = self.evaluator.experiment, self.evaluator
        measured = evaluator.scores(
            state,
            experiment.evaluate_samples,
            CHOOSING_KEY,
            names={*MEASURED, experiment.best_metric},
        )
        return evaluator.rows(
            measured,
            _parameters(experiment),
            step=step,
            seed=experiment.seed,
            **_how_drawn(experiment, evaluator.features_sha256),
        )


def keep_best(directory: runs.RunDirectory, experiment: Experiment) -> None:
    """Puts the checkpoint with the best score among those on disk into best/.

    The checkpoint that is in best/ so far counts as well, so it is only replaced by a better one;
    where it has no score, it stays beside the new one until `restore_scores` has measured it. A
    crash leaves the old one, the new one, or both; another call then leaves the better one.
    """
    there = {*checkpoints.steps(directory.best), *checkpoints.steps(directory.checkpoints)}
    scores = _scores(directory, experiment)
    scores = {step: value for step, value in scores.items() if step in there}
    if not scores:
        return
    sign = 1 if METRICS[experiment.best_metric].better == "lower" else -1
    best = min(scores, key=lambda step: (sign * scores[step], step))
    target = directory.best / str(best)
    directory.best.mkdir(exist_ok=True)
    if not target.exists():
        temporary = directory.best / f".{uuid.uuid4().hex}"
        shutil.copytree(directory.checkpoints / str(best), temporary)
        temporary.rename(target)
    for step in checkpoints.steps(directory.best):
        if step != best and step in scores:
            shutil.rmtree(directory.best / str(step))


def restore_scores(
    directory: runs.RunDirectory,
    light_evaluation: LightEvaluation,
    last_step: int,
    say: Callable[[str], None],
) -> None:
    """Measures again the checkpoints in best/ whose scores are missing from evaluation.jsonl.

    Without a score such a checkpoint could not be compared with later ones.

    Args:
        directory: of the run.
        light_evaluation: of the run.
        last_step: up to which it has been trained; what is in best/ of later steps comes again.
        say: is told what was measured again, and what cannot be.
    """
    experiment = light_evaluation.evaluator.experiment
    unscored = set(checkpoints.steps(directory.best)) - set(_scores(directory, experiment))
    for step in sorted(unscored):
        lost = f"{directory.evaluation} has no {experiment.best_metric} of best/{step}"
        try:
            if hosts.count() > 1:  # all of them would have to load it together
                raise RequestError("several processes train the run")
            template = runs.abstract_state(experiment, devices.for_checkpoints())
            state = checkpoints.load(directory.best, step, template)
            if step > last_step:
                continue
            rows = light_evaluation.rows(devices.own_copy(state), step)
        except checkpoints.MisnamedError as error:
            if checkpoints.rename(directory.best, error, template, say):
                restore_scores(directory, light_evaluation, last_step, say)
                return
            say(f"warning: {error}, which is there under its own name as well: remove it")
        except (checkpoints.DamagedError, RequestError) as error:
            say(f"warning: {lost}, and it cannot be measured again, so it is kept: {error}")
        else:
            record_rows(directory.evaluation, rows)
            say(f"warning: {lost}: measured again")


def last_scores(directory: runs.RunDirectory, experiment: Experiment) -> str | None:
    """Returns the newest scores of a run in words; None if there are none."""
    rows = own_rows(directory, experiment)
    newest = [row for row in rows if row["step"] == max(row["step"] for row in rows)]
    return _in_words(newest) if newest else None


def final_score(directory: runs.RunDirectory, experiment: Experiment) -> float | None:
    """Returns the best_metric at the last step; None if it was not measured there."""
    return _scores(directory, experiment).get(experiment.total_steps())


def over_seeds(of_seeds: Mapping[runs.RunDirectory, Experiment], step: int) -> str | None:
    """Returns the mean scores of several seeds at one step in words, with 95 % intervals.

    The intervals are Student's t. None if fewer than two seeds have scores.
    """
    values: dict[str, list[float]] = {}
    for directory, experiment in of_seeds.items():
        for row in own_rows(directory, experiment):
            if row["step"] == step and row["metric"] in PRINTED and row["value"] is not None:
                values.setdefault(row["metric"], []).append(row["value"])
    printed = []
    for metric, found in values.items():
        if len(found) > 1:
            mean = of_mean(np.array(found)).clipped(*METRICS[metric].possible)
            printed.append(f"{_name(metric)} {_interval(mean.value, mean.low, mean.high)}")
    if not printed:
        return None
    return f"{', '.join(printed)}: mean over {max(map(len, values.values()))} seeds, 95 % interval"


def own_rows(directory: runs.RunDirectory, experiment: Experiment) -> list[Row]:
    """Returns the lines of evaluation.jsonl that were measured as this module measures."""
    # The record says with which features, for which the data need not be there; not so that of an
    # earlier version.
    sha256 = (runs.read_record(directory) or {}).get("features")
    sha256 = sha256 or features_fields(network_of(experiment))["features_sha256"]
    own = {
        "parameters": _parameters(experiment),
        "features_sha256": sha256,
        **_how_drawn(experiment, sha256),
    }
    rows = [row for row in read_rows(directory.evaluation) if own.items() <= row.items()]
    return of_newest_held_out(rows)


def _in_words(rows: list[Row]) -> str:
    """Writes scores of one state as 'Frechet distance 12.3 (11.8 to 12.9), ...'."""
    printed = [
        f"{_name(row['metric'])} {_interval(row['value'], row['low'], row['high'])}"
        for row in rows
        if row["metric"] in PRINTED
    ]
    first = rows[0]
    if first["features"] == NO_FEATURES:
        return ", ".join([*printed, f"{first['samples']:,} held-out examples"])
    return ", ".join([*printed, f"{first['samples']:,} samples", f"features {first['features']}"])


def _name(metric: str) -> str:
    return metric.replace("_", " ").replace("frechet", "Frechet")


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:.3g} ({low:.3g} to {high:.3g})"


def _how_drawn(experiment: Experiment, features_sha256: str) -> dict[str, str | int]:
    return how_drawn(experiment, experiment.evaluate_samples, CHOOSING_KEY, features_sha256)


def _parameters(experiment: Experiment) -> str:
    return "ema" if experiment.ema_decay else "raw"


def _scores(directory: runs.RunDirectory, experiment: Experiment) -> dict[int, float]:
    rows = own_rows(directory, experiment)
    found = {row["step"]: row["value"] for row in rows if row["metric"] == experiment.best_metric}
    return {step: value for step, value in found.items() if value is not None}
