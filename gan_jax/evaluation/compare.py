"""Configurations side by side: each metric over seeds, and which of them differ from the best."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import scipy  # which imports its parts when they are used
from jaxtyping import Float

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.evaluation.during_training import CHOOSING_KEY
from gan_jax.evaluation.rows import NO_FEATURES, Row, of_newest_held_out, read_rows
from gan_jax.metrics.estimate import CONFIDENCE, Estimate, of_mean
from gan_jax.metrics.names import METRICS

Kind = Literal["evaluation", "recognition"]
NEEDED = {"step": int, "features": str, "features_sha256": str, "drawn": int, "key": int}
COMMANDS: dict[Kind, str] = {"evaluation": "evaluate", "recognition": "recognise"}
DONE: dict[Kind, str] = {"evaluation": "evaluated", "recognition": "measured by recognise"}
OF_TRAINING = ("accuracy", "accuracy_gain")  # of --per-class and --balance

_logger = logging.getLogger(__name__)


class Basis(NamedTuple):
    """How values were measured; only values with the same basis can be compared.

    Attributes:
        features: name of the feature network, or what classifiers were trained; "none" where only
            the discriminator was tested.
        sha256: hash of its weights, or of how classifiers were trained for the measurement.
        drawn: number of samples drawn.
        key: random key of the latents.
    """

    features: str
    sha256: str
    drawn: int
    key: int

    def __str__(self) -> str:
        if self.features == NO_FEATURES:
            return "no feature network"
        latents = "while training" if self.key == CHOOSING_KEY else f"key {self.key}"
        network = f"features {self.features}, sha256 {self.sha256[:12]}"
        return f"{network}, {self.drawn:,} samples, {latents}"


@dataclass(frozen=True)
class Configuration:
    """What was measured of the seeds in one directory.

    Attributes:
        path: the directory.
        diverged: number of seeds that have diverged.
        rows: for each other seed, the lines of evaluation.jsonl at its last step, of the parameters
            that are sampled from.
        seconds: mean training time of the seeds that did not diverge; None if one is unknown.
    """

    path: Path
    diverged: int
    rows: tuple[tuple[Row, ...], ...]
    seconds: float | None

    @property
    def seeds(self) -> int:
        """Number of seeds, including those that have diverged."""
        return self.diverged + len(self.rows)

    def values(self, metric: str, basis: Basis) -> Float[np.ndarray, " seeds"]:
        """Returns the values of a metric on one basis, one for each seed that has it."""
        return np.array([row["value"] for row in self._found(metric, basis)], np.float64)

    def held_out(self, metric: str, basis: Basis) -> set[str | None]:
        """Returns with which held-out examples a metric was measured; None for not recorded."""
        return {row.get("held_out") for row in self._found(metric, basis)}

    def _found(self, metric: str, basis: Basis) -> list[Row]:
        return [
            row
            for rows in self.rows
            for row in rows
            if row["metric"] == metric and _basis(row) == basis and row["value"] is not None
        ]


@dataclass(frozen=True, eq=False)
class Comparison:
    """One metric of one configuration.

    Attributes:
        configuration: the configuration.
        metric: name of the metric.
        values: its value for each seed that has one.
        conclusion: "best", "worse" than the best, "no difference shown", or "" if nothing can be
            concluded.
        p_value: for no difference from the best configuration; None if there is no test.
    """

    configuration: Configuration
    metric: str
    values: Float[np.ndarray, " seeds"]
    conclusion: str = ""
    p_value: float | None = None

    @property
    def mean(self) -> Estimate | None:
        """Mean over seeds with its 95 % interval; None for fewer than two seeds."""
        if len(self.values) < 2:
            return None
        return of_mean(self.values).clipped(*METRICS[self.metric].possible)

    @property
    def standard_deviation(self) -> float | None:
        """Standard deviation over seeds; None for fewer than two."""
        return float(self.values.std(ddof=1)) if len(self.values) > 1 else None


def compare(paths: Sequence[Path], kind: Kind = "evaluation") -> tuple[Basis, list[Comparison]]:
    """Compares configurations by what was measured on the same basis for all their seeds.

    Configurations with a seed that was not evaluated are left out, with a warning.

    The test is that of Games and Howell (1976) for all pairs at once. It stays valid although the
    best is chosen after looking at the means, and if configurations differ in their spread over
    seeds, as they do when some seeds collapse.

    Args:
        paths: directories of several seeds each, or single runs.
        kind: which command measured: "evaluation" for `gan-jax evaluate`, or "recognition".

    Returns:
        How the values were measured, and a comparison for each metric and configuration.

    Raises:
        RequestError: a directory has no run or is given twice, or the seeds of the configurations
            that were evaluated have no basis in common.
    """
    twice = [path for path in paths if list(paths).count(path) > 1]
    if twice:
        raise RequestError(f"{twice[0]} is given twice")
    configurations = [read(path, kind) for path in paths]
    if kind == "recognition":  # which not every run can be measured by
        configurations = [each for each in configurations if any(each.rows)]
    configurations = _measured(configurations, kind)
    basis = _common_basis(configurations, kind)
    found = []
    for metric in METRICS:
        if len(set().union(*(each.held_out(metric, basis) for each in configurations))) > 1:
            _logger.warning("%s is left out: measured with different held-out examples", metric)
            continue
        rows = [Comparison(each, metric, each.values(metric, basis)) for each in configurations]
        if any(len(row.values) for row in rows):
            found += _with_conclusions(metric, rows)
    return basis, found


def kinds_measured(paths: Sequence[Path]) -> list[Kind]:
    """Returns what some run in these directories was measured by; "evaluation" if by nothing."""
    directories = [runs.RunDirectory(run) for path in paths for run in runs.all_seeds(path)]
    found = [kind for kind in COMMANDS if any(_rows(each, kind) for each in directories)]
    return found or ["evaluation"]


def read(path: Path, kind: Kind = "evaluation") -> Configuration:
    """Reads what was measured of the seeds in a directory.

    Raises:
        RequestError: there is no run in it.
    """
    diverged, found, spent = 0, [], []
    for seed in runs.all_seeds(path):
        directory, experiment = runs.open_directory(seed)
        if directory.divergence.exists():
            diverged += 1
            continue
        sampled = "ema" if experiment.ema_decay else "raw"
        rows = [row for row in _rows(directory, kind) if row.get("parameters") == sampled]
        if experiment.data.labels and any("labels" not in row for row in rows):
            _logger.warning(
                "%s: scores of samples in equal shares of the labels, as earlier "
                "versions measured, are left out",
                seed,
            )
            rows = [row for row in rows if "labels" in row]
        rows = of_newest_held_out(rows)
        last = max((row["step"] for row in rows), default=0)
        if rows and experiment.steps and last < experiment.steps:
            file = getattr(directory, kind)
            _logger.warning("%s: last measured at step %d of %d", file, last, experiment.steps)
        found.append(tuple(row for row in rows if row["step"] == last))
        spent.append(runs.read_seconds(directory))
        if spent[-1] is None and kind == "evaluation":
            _logger.warning("how long training took is not in %s", directory.seconds)
    seconds = None if None in spent or not spent else sum(spent) / len(spent)
    return Configuration(path, diverged, tuple(found), seconds)


def _rows(directory: runs.RunDirectory, kind: Kind) -> list[Row]:
    """Reads rows of all classes together, without those of --per-class and --balance."""
    rows = read_rows(getattr(directory, kind))
    return [
        row
        for row in rows
        if "class" not in row
        and row.get("metric") not in OF_TRAINING
        and all(isinstance(row.get(name), of) for name, of in NEEDED.items())
    ]


def _measured(configurations: Sequence[Configuration], kind: Kind) -> list[Configuration]:
    """Leaves out configurations with a seed that was not measured, with a warning."""
    lacking = [each for each in configurations if not all(each.rows)]
    commands = "\n".join(f"  gan-jax {COMMANDS[kind]} {each.path}" for each in lacking)
    how = f"train what is not finished (a sweep: gan-jax sweep DIR), then\n{commands}"
    if len(lacking) == len(configurations):
        raise RequestError(f"not all seeds have been {DONE[kind]}; {how}")
    if lacking:
        what = "left out, as not all of their seeds have been %s; %s"
        _logger.warning(what, DONE[kind], how)
    return [each for each in configurations if each not in lacking]


def _common_basis(configurations: Sequence[Configuration], kind: Kind) -> Basis:
    """Chooses, of the bases that all seeds have in common, the one with the most samples."""
    of_seeds = [{_basis(row) for row in rows} for each in configurations for rows in each.rows]
    common = set.intersection(*of_seeds) if of_seeds else set()
    if not common:
        listed = ", ".join(str(each.path) for each in configurations)
        raise RequestError(
            f"the last steps of the seeds in {listed} have no measurement in common: run "
            f"gan-jax {COMMANDS[kind]} on each of them, with equal options"
        )

    # Scores by which a checkpoint was chosen are biased, and so the last resort but for none.
    def rank(basis: Basis) -> tuple[bool, bool, int, Basis]:
        measured = basis.features != NO_FEATURES
        return (measured, basis.key != CHOOSING_KEY, basis.drawn, basis)

    chosen = max(common, key=rank)
    if others := sorted(common - {chosen}):
        _logger.warning("also measured, but not shown: %s", "; ".join(map(str, others)))
    return chosen


def _basis(row: Row) -> Basis:
    return Basis(row["features"], row["features_sha256"], row["drawn"], row["key"])


def _with_conclusions(metric: str, comparisons: list[Comparison]) -> list[Comparison]:
    """Adds which configuration is best in a metric, and which of the others are worse."""
    several = [each for each in comparisons if len(each.values) > 1]
    if len(several) < 2 or not METRICS[metric].ordered:
        return comparisons
    choose = max if METRICS[metric].better == "higher" else min
    best = choose(several, key=lambda each: each.values.mean())
    with np.errstate(invalid="ignore", divide="ignore"):
        table = scipy.stats.tukey_hsd(*(each.values for each in several), equal_var=False).pvalue
    conclusions = {best.configuration.path: ("best", None)}
    for each, p_value in zip(several, table[several.index(best)], strict=True):
        if each is not best and math.isfinite(p_value):  # without a spread there is no test
            conclusion = "worse" if p_value < 1 - CONFIDENCE else "no difference shown"
            conclusions[each.configuration.path] = (conclusion, float(p_value))
    return [
        Comparison(
            each.configuration,
            metric,
            each.values,
            *conclusions.get(each.configuration.path, ()),
        )
        for each in comparisons
    ]
