"""What the figures of a run say about its training, in words, and what may help.

Each rule is a pure function of a run's history. Its thresholds are conventions: they were set so
that the healthy quickstart passes them at every length, and are no more than a first look.
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
from gan_jax.metrics.names import BETTER
from gan_jax.training.diagnostics import COUNT

ENOUGH = 8  # lines of metrics, below which no figure is judged
RECENT = 0.25  # share of the lines, at the end, that is judged
SURE = 0.97  # share of right judgements, on both kinds, of a discriminator that always wins
GAP = 6.0  # between its mean logits on real examples and fakes: odds of 400 to 1
OVERFITTED = 0.5  # share of the way from samples to training examples that held-out logits lack
TOLD_APART = 1.0  # least distance of its mean logits on both, for that share to be more than noise
LOOKS = 5  # at the samples, before which a generator is too young to be called collapsed
CLOSE = 0.5  # distance between samples, relative to that between real examples
RARE = 0.2  # share of a class relative to equal shares
TOO_MANY_RARE = 0.3  # share of such classes
MANY = 10  # samples for each class, below which good generators, too, miss classes by chance
GROWN = 10.0  # times the usual size, of a loss, a logit or a gradient
HUGE = 1e3  # of a loss or a logit: no probability needs more than a few dozens
SKIPPED = 0.1  # share of steps that are not finite, which a guard skips
MISSED = 0.1  # share of right judgements on one kind, of a discriminator that calls all the other
WORSE = 1.5  # times the best distance, or divided by it the best score
FIGURES = ("discriminator_loss", "generator_loss", "logit_real", "logit_fake")
GRADIENTS = ("gradient_norm_discriminator", "gradient_norm_generator")


@dataclasses.dataclass(frozen=True, eq=False)
class Series:
    """A figure over training: at each step a value."""

    steps: np.ndarray
    values: Float[np.ndarray, " points"]

    @property
    def recent(self) -> "Series":
        """The last part, at least one point where there are any."""
        count = max(1, round(RECENT * len(self.steps)))
        return Series(self.steps[-count:], self.values[-count:])

    @property
    def earlier(self) -> "Series":
        """What comes before the last part."""
        count = max(1, round(RECENT * len(self.steps)))
        return Series(self.steps[:-count], self.values[:-count])

    def __len__(self) -> int:
        return len(self.steps)

    def mean(self) -> float:
        """Mean of the values."""
        return float(self.values.mean())


@dataclasses.dataclass(frozen=True, eq=False)
class History:
    """What a run wrote down.

    Attributes:
        metrics: the lines of metrics.jsonl.
        scores: the lines of evaluation.jsonl.
        end: when and why the run was given up, if it was.
        best_metric: the metric by which the experiment chooses its best checkpoint.
        loss: which says what logits mean.
    """

    metrics: list[Row]
    scores: list[Row]
    end: str | None = None
    best_metric: str = "frechet_distance"
    loss: Any = NonSaturating()

    def series(self, name: str) -> Series:
        """One figure of metrics.jsonl, at the steps that have it."""
        rows = [row for row in self.metrics if isinstance(row.get(name), int | float)]
        return Series(
            np.array([row["step"] for row in rows]), np.array([float(row[name]) for row in rows])
        )

    def class_shares(self) -> Float[np.ndarray, " classes"]:
        """Share of each class among the samples, mean over the last part; [] without classes."""
        shares, number = [], 0
        while len(share := self.series(f"class_share_{number}")):
            shares.append(share.recent.mean())
            number += 1
        return np.array(shares)


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a rule sees.

    Attributes:
        verdict: in a word or two; `remedies.REMEDIES` knows what may help.
        evidence: the figures and steps that show it.
    """

    verdict: str
    evidence: str


def discriminator_too_strong(history: History) -> Finding | None:
    """Fires where it is right on nearly all of both kinds, and far from any doubt.

    The gradient that it gives the generator then tells little of where the data lie (Arjovsky and
    Bottou, 2017, section 2).
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
        f"examples, and their logits lie {gap:.1f} apart ({_span(right[0])})",
    )


def discriminator_fooled(history: History) -> Finding | None:
    """Fires where it calls nearly everything real, or everything fake: it tells nothing apart."""
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
    """Fires where held-out real examples look to it more like samples than like training ones.

    The ratio is r_v of Karras et al. (2020), equation 1: 0 for a discriminator that sees no
    difference between training and held-out examples, 1 for one that knows the former by heart.
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
    """Fires where samples are much alike, or many classes are hardly among them.

    The first samples of every run are alike, so that this waits for a few looks at them.
    """
    distances, shares = history.series("distance_ratio"), history.class_shares()
    if len(distances) < LOOKS:
        return None
    distance, seen = distances.recent, []
    if distance.mean() < CLOSE:
        seen.append(
            f"samples are {distance.mean():.2f} times as far apart as real examples "
            f"({_span(distance)})"
        )
    rare = np.flatnonzero(shares < RARE / max(len(shares), 1))
    if len(rare) > TOO_MANY_RARE * len(shares) and len(shares) * MANY <= COUNT:
        seen.append(
            f"{len(rare)} of {len(shares)} classes are hardly among the samples: "
            f"{', '.join(map(str, rare))} ({_span(history.series('class_share_0').recent)})"
        )
    return Finding("collapse", "; ".join(seen)) if seen else None


def diverging(history: History) -> Finding | None:
    """Fires where the run was given up, figures or scores got worse, or steps are skipped."""
    seen = []
    if history.end is not None:
        seen.append(f"training ended {history.end}")
    skipped = history.series("skipped")
    if len(skipped) and (rate := _rise(skipped.recent)) > SKIPPED:
        # Runs of earlier versions recorded rollbacks as "returns".
        returns = (history.series("rollbacks") or history.series("returns")).values[-1]
        seen.append(
            f"the guard skipped {rate:.0%} of the steps ({_span(skipped.recent)}), and has gone "
            f"back {returns:g} times"
        )
    for name in (*FIGURES, *GRADIENTS):
        series = history.series(name)
        if not len(series.earlier):
            continue
        usual = float(np.median(np.abs(series.earlier.values)))
        now = float(np.median(np.abs(series.recent.values)))
        # A loss or a logit of a few units is nothing, however small it was before.
        grown = now > GROWN * (max(usual, 1.0) if name in FIGURES else usual)
        if grown or (gives_log_odds(history.loss) and name in FIGURES and now > HUGE):
            seen.append(f"{name} is {now:.3g}, after {usual:.3g} ({_span(series.recent)})")
    scores = [row for row in history.scores if row["metric"] == history.best_metric]
    if scores and (worse := _worse(scores, BETTER[history.best_metric] == "lower")):
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
    """What all rules see; one finding that says so where it is nothing, or too early to say."""
    if len(history.metrics) < ENOUGH and history.end is None:
        return [
            Finding(
                "too little data to say",
                f"{len(history.metrics)} lines of metrics, at least {ENOUGH} are needed; "
                "log_every sets how often there is one",
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
    if allows_any_offset(history.loss):  # nor do signs of logits say what is right
        evidence = f"no figure is out of proportion ({_span(right[0])})"
    looks = len(history.series("distance_ratio"))
    if looks < LOOKS:
        evidence += f"; {looks} looks at samples are too few to tell a collapse, {LOOKS} are needed"
    return [Finding("balanced", evidence)]


def describe(path: Path) -> str:
    """Says in words how the training of a run goes, and what may help.

    Raises:
        RequestError: no run there.
    """
    directory, experiment = runs.open_directory(path)
    history = read(directory, experiment)
    lines = []
    for finding in findings(history):
        lines.append(f"{finding.verdict}: {finding.evidence}")
        lines += [f"  try {line}" for line in advice(experiment, finding.verdict)]
    return "\n".join(lines)


def read(directory: runs.RunDirectory, experiment: Experiment) -> History:
    """Reads what a run wrote down."""
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
    """By how much a count rises in a step, from the first to the last value."""
    steps = series.steps[-1] - series.steps[0]
    return (series.values[-1] - series.values[0]) / steps if steps else 0.0


def _span(series: Series) -> str:
    first, last = series.steps[0], series.steps[-1]
    return f"step {first:,}" if first == last else f"steps {first:,} to {last:,}"
