"""Settings side by side: every metric over seeds, and which settings differ from the best."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.evaluation.during_training import CHOOSING_KEY
from gan_jax.evaluation.rows import Row, read_rows
from gan_jax.metrics.estimate import CONFIDENCE, Estimate, of_mean
from gan_jax.metrics.names import BETTER, CHOOSING, POSSIBLE

_logger = logging.getLogger(__name__)


class Basis(NamedTuple):
    """What values hold for, and must have in common to compare.

    Attributes:
        features: the feature network.
        sha256: of its weights.
        drawn: how many samples were drawn.
        key: from which random latents.
    """

    features: str
    sha256: str
    drawn: int
    key: int

    def __str__(self) -> str:
        network = f"features {self.features}, sha256 {self.sha256[:12]}"
        latents = "while training" if self.key == CHOOSING_KEY else f"key {self.key}"
        return f"{network}, {self.drawn:,} samples, {latents}"


@dataclass(frozen=True)
class Setting:
    """The seeds of one directory.

    Attributes:
        path: the directory.
        diverged: how many of its seeds have.
        rows: lines of evaluation.jsonl at the last step of each other seed, of the parameters that
            are sampled from.
        seconds: mean time that the training of one of these took; None where one is not known.
    """

    path: Path
    diverged: int
    rows: tuple[tuple[Row, ...], ...]
    seconds: float | None

    @property
    def seeds(self) -> int:
        """How many there are, with those that have diverged."""
        return self.diverged + len(self.rows)

    def values(self, metric: str, basis: Basis) -> Float[np.ndarray, " seeds"]:
        """The values of a metric on one basis, one for each seed that has it."""
        found = [
            row["value"]
            for rows in self.rows
            for row in rows
            if row["metric"] == metric and _basis(row) == basis and row["value"] is not None
        ]
        return np.array(found, np.float64)


@dataclass(frozen=True, eq=False)
class Comparison:
    """One metric of one setting.

    Attributes:
        setting: whose.
        metric: which.
        values: one for each seed that has it.
        verdict: "best", "worse" than it, "no difference shown", or "" where nothing can be said.
        p_value: of no difference from the best setting; None where there is no test.
    """

    setting: Setting
    metric: str
    values: Float[np.ndarray, " seeds"]
    verdict: str = ""
    p_value: float | None = None

    @property
    def mean(self) -> Estimate | None:
        """Mean over seeds with its 95 % interval; None for fewer than two seeds."""
        if len(self.values) < 2:
            return None
        return of_mean(self.values).clipped(*POSSIBLE[self.metric])

    @property
    def standard_deviation(self) -> float | None:
        """Over seeds; None for fewer than two."""
        return float(self.values.std(ddof=1)) if len(self.values) > 1 else None


def compare(paths: Sequence[Path]) -> tuple[Basis, list[Comparison]]:
    """Compares settings by what was measured alike of all their seeds.

    Settings with a seed that was not evaluated are left out, with a warning.

    The test is that of Games and Howell (1976) for all pairs at once, so that it stays right when
    the best is chosen after a look at the means, and where settings differ in their spread over
    seeds, as those that collapse do.

    Args:
        paths: directories of several seeds each, or runs of one.

    Returns:
        What the values hold for, and a comparison for each metric and setting.

    Raises:
        RequestError: no run there, one is there twice, or nothing was measured alike of all seeds
            of those settings whose seeds have all been evaluated.
    """
    twice = [path for path in paths if list(paths).count(path) > 1]
    if twice:
        raise RequestError(f"{twice[0]} is there twice")
    settings = _evaluated([read(path) for path in paths])
    basis = _common_basis(settings)
    found = []
    for metric in BETTER:
        of_settings = [Comparison(each, metric, each.values(metric, basis)) for each in settings]
        if any(len(each.values) for each in of_settings):
            found += _judged(metric, of_settings)
    return basis, found


def read(path: Path) -> Setting:
    """Reads what was measured of the seeds in a directory.

    Raises:
        RequestError: no run there.
    """
    diverged, found, spent = 0, [], []
    for seed in runs.all_seeds(path):
        directory, experiment = runs.open_directory(seed)
        if directory.divergence.exists():
            diverged += 1
            continue
        sampled = "ema" if experiment.ema_decay else "raw"
        rows = [row for row in read_rows(directory.evaluation) if row.get("parameters") == sampled]
        last = max((row["step"] for row in rows), default=0)
        if rows and experiment.steps and last < experiment.steps:
            _logger.warning("%s: last evaluated at step %d of %d", seed, last, experiment.steps)
        found.append(tuple(row for row in rows if row["step"] == last))
        spent.append(runs.read_seconds(directory))
    seconds = None if None in spent or not spent else sum(spent) / len(spent)
    return Setting(path, diverged, tuple(found), seconds)


def _evaluated(settings: Sequence[Setting]) -> list[Setting]:
    """Leaves out, and says so, settings with a seed that was not evaluated."""
    lacking = [setting for setting in settings if not all(setting.rows)]
    commands = "\n".join(f"  gan-jax evaluate {setting.path}" for setting in lacking)
    how = f"train what is not finished (of a sweep: gan-jax sweep DIR), then\n{commands}"
    if len(lacking) == len(settings):
        raise RequestError(f"not all seeds have been evaluated; {how}")
    if lacking:
        _logger.warning("left out, as not all of their seeds have been evaluated; %s", how)
    return [setting for setting in settings if setting not in lacking]


def _common_basis(settings: Sequence[Setting]) -> Basis:
    of_seeds = [{_basis(row) for row in rows} for setting in settings for rows in setting.rows]
    common = set.intersection(*of_seeds) if of_seeds else set()
    if not common:
        listed = ", ".join(str(setting.path) for setting in settings)
        raise RequestError(
            f"nothing was measured alike of the last step of all seeds in {listed}: run gan-jax "
            "evaluate on each of them, with equal --samples and --features"
        )
    # Scores that have chosen a checkpoint are the last resort.
    chosen = max(common, key=lambda basis: (basis.key != CHOOSING_KEY, basis.drawn, basis))
    if others := sorted(common - {chosen}):
        _logger.warning("also measured, and not shown: %s", "; ".join(map(str, others)))
    return chosen


def _basis(row: Row) -> Basis:
    return Basis(row["features"], row["features_sha256"], row["drawn"], row["key"])


def _judged(metric: str, comparisons: list[Comparison]) -> list[Comparison]:
    """Says which setting is best in a metric, and which of the others are worse."""
    several = [each for each in comparisons if len(each.values) > 1]
    if len(several) < 2 or metric not in CHOOSING:
        return comparisons
    choose = max if BETTER[metric] == "higher" else min
    best = choose(several, key=lambda each: each.values.mean())
    with np.errstate(invalid="ignore", divide="ignore"):
        table = stats.tukey_hsd(*(each.values for each in several), equal_var=False).pvalue
    verdicts = {best.setting.path: ("best", None)}
    for each, p_value in zip(several, table[several.index(best)], strict=True):
        if each is not best and math.isfinite(p_value):  # without a spread there is no test
            verdict = "worse" if p_value < 1 - CONFIDENCE else "no difference shown"
            verdicts[each.setting.path] = (verdict, float(p_value))
    return [
        Comparison(one.setting, metric, one.values, *verdicts.get(one.setting.path, ()))
        for one in comparisons
    ]
