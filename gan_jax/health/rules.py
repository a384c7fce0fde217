"""Rules that read from the metrics of a run how its training is going.

Each rule is a pure function of a run's history. The thresholds are conventions, chosen so that the
healthy quickstart experiment passes at any length of training: take a finding as a first look.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from gan_jax import runs
from gan_jax.common.files import read_json_lines
from gan_jax.evaluation.during_training import own_rows
from gan_jax.evaluation.rows import Row
from gan_jax.experiment import Experiment
from gan_jax.health.remedies import advice
from gan_jax.losses import NonSaturating, allows_any_offset, gives_log_odds
from gan_jax.metrics.names import METRICS
from gan_jax.runs import checkpoints
from gan_jax.training.diagnostics import COUNT
from gan_jax.training.logs import lost_lines

LEAST_LINES = 8  # of metrics; with fewer, nothing is judged
RECENT = 0.25  # fraction of the lines, at the end, that is judged
SURE = 0.97  # accuracy on real examples and on fakes of a discriminator that always wins
GAP = 6.0  # between mean logits of real examples and fakes: odds of 400 to 1
OVERFITTED = 0.5  # least r_v, see `discriminator_overfitting`
TOLD_APART = 1.0  # least gap between logits of training examples and samples; below, r_v is noise
LEAST_DIAGNOSTICS = 5  # of samples; with fewer, a generator is too young to have collapsed
CLOSE = 0.5  # distance between samples, relative to that between real examples
RARE = 0.2  # fraction of a class among samples, relative to equal fractions
TOO_MANY_RARE = 0.3  # fraction of classes that are rare
MANY = 10  # samples for each class; with fewer, good generators also miss classes by chance
GROWN = 10.0  # growth of a loss, a logit or a gradient, relative to earlier in training
HUGE = 1e3  # a loss or a logit; no probability needs more than a few dozen
SKIPPED = 0.1  # fraction of steps that a guard skips because they are not finite
MISSED = 0.1  # accuracy on one kind of a discriminator that takes nearly everything for the other
WORSE = 1.5  # ratio of a distance to the best one, or of the best score to a score
LOSSES_AND_LOGITS = ("discriminator_loss", "generator_loss", "logit_real", "logit_fake")
GRADIENTS = ("gradient_norm_discriminator", "gradient_norm_generator")


@dataclasses.dataclass(frozen=True, eq=False)
class Series:
    """A metric over training.

    Attributes:
        steps: steps at which it was measured.
        values: its value at each of them.
    """

    steps: np.ndarray
    values: Float[np.ndarray, " points"]

    @property
    def recent(self) -> "Series":
        """The last quarter, but at least one point if there are any."""
        count = max(1, round(RECENT * len(self.steps)))
        return Series(self.steps[-count:], self.values[-count:])

    @property
    def earlier(self) -> "Series":
        """What comes before the recent part."""
        count = max(1, round(RECENT * len(self.steps)))
        return Series(self.steps[:-count], self.values[:-count])

    def __len__(self) -> int:
        return len(self.steps)

    def mean(self) -> float:
        """Mean of the values."""
        return float(self.values.mean())


@dataclasses.dataclass(frozen=True, eq=False)
class History:
    """The records of a run's training.

    Attributes:
        metrics: the lines of metrics.jsonl.
        scores: the lines of evaluation.jsonl.
        end: when and why the run was given up; None if it was not.
        best_metric: the metric by which the experiment chooses its best checkpoint.
        loss: the experiment's loss, which defines what logits mean.
    """

    metrics: list[Row]
    scores: list[Row]
    end: str | None = None
    best_metric: str = "frechet_distance"
    loss: Any = NonSaturating()

    def series(self, name: str) -> Series:
        """Returns one metric of metrics.jsonl, at the steps that have it."""
        rows = [row for row in self.metrics if isinstance(row.get(name), int | float)]
        return Series(
            np.array([row["step"] for row in rows]), np.array([float(row[name]) for row in rows])
        )

    def class_fractions(self) -> Float[np.ndarray, " classes"]:
        """Averages the fraction of each class among recent samples; [] without classes."""
        fractions, number = [], 0
        while len(fraction := self.series(f"class_share_{number}")):
            fractions.append(fraction.recent.mean())
            number += 1
        return np.array(fractions)


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a rule has found.

    Attributes:
        diagnosis: a few words; `remedies.REMEDIES` lists what may help.
        evidence: the metrics and steps that show it.
    """

    diagnosis: str
    evidence: str


def discriminator_too_strong(history: History) -> Finding | None:
    """Finds a discriminator that is right nearly always, and by a wide margin.

    Its gradient then tells the generator little about where the data are (Arjovsky and Bottou,
    2017, section 2).
    """
    right = [history.series(f"accuracy_{kind}").recent for kind in ("real", "fake")]
    logits = [history.series(f"logit_{kind}").recent for kind in ("real", "fake")]
    if not gives_log_odds(history.loss) or not all(map(len, right + logits)):
        return None
    gap = logits[0].mean() - logits[1].mean()
    if min(series.mean() for series in right) < SURE or gap < GAP:
        return None
    return Finding(
        "discriminator too strong",
        f"it is right on {right[0].mean():.0%} of real and {right[1].mean():.0%} of generated "
        f"examples, and their mean logits are {gap:.1f} apart ({_span(right[0])})",
    )


def discriminator_fooled(history: History) -> Finding | None:
    """Finds a discriminator that takes nearly everything for real, or for fake."""
    right = [history.series(f"accuracy_{kind}").recent for kind in ("real", "fake")]
    if allows_any_offset(history.loss) or not all(map(len, right)):
        return None
    low, high = sorted(series.mean() for series in right)
    if low > MISSED or high < SURE:
        return None
    return Finding(
        "discriminator fooled",
        f"it is right on {right[0].mean():.0%} of real and {right[1].mean():.0%} of generated "
        f"examples ({_span(right[0])})",
    )


def discriminator_overfitting(history: History) -> Finding | None:
    """Finds a discriminator to which held-out real examples look more like samples.

    The ratio is r_v of Karras et al. (2020a), equation 1: 0 if the discriminator sees no difference
    between training and held-out examples, 1 if held-out examples look to it like samples.
    """
    kinds = ("training", "held_out", "samples")
    series = [history.series(f"logit_{kind}").recent for kind in kinds]
    if not all(map(len, series)):
        return None
    training, held_out, drawn = (each.mean() for each in series)
    apart = training - drawn
    if apart < TOLD_APART or (training - held_out) / apart < OVERFITTED:
        return None
    return Finding(
        "discriminator overfitting",
        f"its mean logit is {training:.2f} on training examples, {held_out:.2f} on held-out real "
        f"ones and {drawn:.2f} on samples ({_span(series[0])})",
    )


def collapse(history: History) -> Finding | None:
    """Finds samples that are much alike, or that lack many of the classes.

    The first samples of every run are alike, so this waits for a few diagnostics of them.
    """
    distances, fractions = history.series("distance_ratio"), history.class_fractions()
    if len(distances) < LEAST_DIAGNOSTICS:
        return None
    distance, seen = distances.recent, []
    if distance.mean() < CLOSE:
        seen.append(
            f"samples are {distance.mean():.2f} times as far apart as real examples "
            f"({_span(distance)})"
        )
    rare = np.flatnonzero(fractions < RARE / max(len(fractions), 1))
    if len(rare) > TOO_MANY_RARE * len(fractions) and len(fractions) * MANY <= COUNT:
        seen.append(
            f"{len(rare)} of {len(fractions)} classes are rare among the samples: "
            f"{', '.join(map(str, rare))} ({_span(history.series('class_share_0').recent)})"
        )
    return Finding("collapse", "; ".join(seen)) if seen else None


def diverging(history: History) -> Finding | None:
    """Finds runs that were given up, or whose metrics or scores got worse, or that skip steps."""
    seen = []
    if history.end is not None:
        seen.append(f"training ended {history.end}")
    skipped = history.series("skipped")
    if len(skipped) and (rate := _rise(skipped.recent)) > SKIPPED:
        # Runs of earlier versions recorded rollbacks as "returns".
        rollbacks = (history.series("rollbacks") or history.series("returns")).values[-1]
        seen.append(
            f"the guard skipped {rate:.0%} of the steps ({_span(skipped.recent)}), and has rolled "
            f"back {rollbacks:g} times"
        )
    for name in (*LOSSES_AND_LOGITS, *GRADIENTS):
        series = history.series(name)
        if not len(series.earlier):
            continue
        usual = float(np.median(np.abs(series.earlier.values)))
        now = float(np.median(np.abs(series.recent.values)))
        # A loss or a logit of a few units is harmless, however small it was before.
        grown = now > GROWN * (max(usual, 1.0) if name in LOSSES_AND_LOGITS else usual)
        if grown or (gives_log_odds(history.loss) and name in LOSSES_AND_LOGITS and now > HUGE):
            seen.append(f"{name} is {now:.3g}, after {usual:.3g} ({_span(series.recent)})")
    scores = [row for row in history.scores if row["metric"] == history.best_metric]
    if scores and (worse := _worse(scores, METRICS[history.best_metric].better == "lower")):
        seen.append(worse)
    return Finding("diverging", "; ".join(seen)) if seen else None


RULES: tuple[Callable[[History], Finding | None], ...] = (
    diverging,
    collapse,
    discriminator_too_strong,
    discriminator_fooled,
    discriminator_overfitting,
)


def findings(history: History) -> list[Finding]:
    """Applies all rules; if none finds anything, says that training is balanced or has no data."""
    if len(history.metrics) < LEAST_LINES and history.end is None:
        return [
            Finding(
                "too little data to say",
                f"{len(history.metrics)} lines of metrics, at least {LEAST_LINES} are needed; "
                "log_every sets how often one is written",
            )
        ]
    found = [finding for rule in RULES if (finding := rule(history))]
    if found:
        return found
    right = [history.series(f"accuracy_{kind}").recent for kind in ("real", "fake")]
    if not all(map(len, right)):
        return [Finding("too little data to say", "metrics.jsonl has no accuracies")]
    evidence = (
        f"the discriminator is right on {right[0].mean():.0%} of real and "
        f"{right[1].mean():.0%} of generated examples ({_span(right[0])})"
    )
    if allows_any_offset(history.loss):  # then the sign of a logit means nothing
        evidence = f"no metric is out of proportion ({_span(right[0])})"
    count = len(history.series("distance_ratio"))
    if count < LEAST_DIAGNOSTICS:
        needed = f"{LEAST_DIAGNOSTICS} are needed"
        evidence += f"; {count} diagnostics of samples are too few to rule out a collapse, {needed}"
    return [Finding("balanced", evidence)]


def describe(path: Path) -> str:
    """Says in words how the training of a run is going, and what may help.

    Raises:
        RequestError: there is no run in this directory.
    """
    directory, experiment = runs.open_directory(path)
    history = read(directory, experiment)
    newest = checkpoints.steps(directory.checkpoints)[-1:]
    lines = [
        f"incomplete: {lost}"
        for step in newest
        for lost in lost_lines(directory.metrics, step, experiment.log_every)
    ]
    for finding in findings(history):
        lines.append(f"{finding.diagnosis}: {finding.evidence}")
        lines += [f"  try {line}" for line in advice(experiment, finding.diagnosis)]
    return "\n".join(lines)


def read(directory: runs.RunDirectory, experiment: Experiment) -> History:
    """Reads the records of a run's training."""
    scores = own_rows(directory, experiment) if experiment.evaluate_every else []
    finite = [row for row in scores if row["value"] is not None]
    metrics = [row for row in read_json_lines(directory.metrics) if "step" in row]
    end = runs.read_divergence(directory)
    return History(metrics, finite, end, experiment.best_metric, experiment.loss)


def _worse(scores: list[Row], lower_is_better: bool) -> str | None:
    *_, last = scores
    best = (min if lower_is_better else max)(scores, key=lambda row: row["value"])
    ratio = WORSE if lower_is_better else 1 / WORSE
    disjoint = last["low"] > best["high"] if lower_is_better else last["high"] < best["low"]
    beyond = (last["value"] > ratio * best["value"]) == lower_is_better
    if not (disjoint and beyond):
        return None
    return (
        f"{last['metric']} was {best['value']:.3g} at step {best['step']:,} and is "
        f"{last['value']:.3g} at step {last['step']:,} (--step best is the former)"
    )


def _rise(series: Series) -> float:
    """Returns by how much a count rises per step, from the first to the last value."""
    steps = series.steps[-1] - series.steps[0]
    return (series.values[-1] - series.values[0]) / steps if steps else 0.0


def _span(series: Series) -> str:
    first, last = series.steps[0], series.steps[-1]
    return f"step {first:,}" if first == last else f"steps {first:,} to {last:,}"
