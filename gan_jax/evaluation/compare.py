"""Settings side by side: every metric over seeds, and which settings differ from the best."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy import stats

from gan_jax import runs
from gan_jax.errors import RequestError
from gan_jax.evaluation import lines
from gan_jax.evaluation.during_training import FIRST_KEY
from gan_jax.evaluation.lines import Row
from gan_jax.metrics.estimate import CONFIDENCE, Estimate, of_mean
from gan_jax.metrics.names import BETTER, POSSIBLE

# Features, their sha256, how many samples were drawn, and from which key (in training, each seed
# has its own: -1 here).
Measured = tuple[str, str, int, int]


@dataclass(frozen=True)
class Setting:
    """The seeds of one directory.

    Attributes:
        path: the directory.
        seeds: how many there are, with those that have diverged.
        diverged: how many have.
        rows: lines of evaluation.jsonl at the last step of each other seed, of the parameters that
            are sampled from.
    """

    path: Path
    seeds: int
    diverged: int
    rows: tuple[tuple[Row, ...], ...]

    def values(self, metric: str, measured: Measured) -> Float[np.ndarray, " seeds"]:
        """The values of a metric that were measured alike, one for each seed that has it."""
        found = [
            row["value"]
            for rows in self.rows
            for row in rows
            if row["metric"] == metric and _measured(row) == measured and row["value"] is not None
        ]
        return np.array(found, np.float64)


@dataclass(frozen=True)
class Comparison:
    """One metric of one setting.

    Attributes:
        path: the setting's directory.
        seeds: how many seeds it has, with those that have diverged.
        diverged: how many have.
        metric: which metric.
        count: how many seeds have a value.
        mean: over them, with its interval over seeds; None for fewer than two.
        deviation: standard deviation over them; None likewise.
        p_value: of no difference from the best setting in this metric; None for the best itself,
            and where a setting has fewer than two seeds, or none has a spread.
        best: the setting has the best mean.
    """

    path: Path
    seeds: int
    diverged: int
    metric: str
    count: int
    mean: Estimate | None
    deviation: float | None
    p_value: float | None
    best: bool

    @property
    def verdict(self) -> str:
        """In words: 'best', 'worse' than it, or 'no difference shown'."""
        if self.best:
            return "best"
        if self.p_value is None:
            return ""
        return "worse" if self.p_value < 1 - CONFIDENCE else "no difference shown"


def compare(paths: Sequence[Path]) -> tuple[Measured, list[Comparison]]:
    """Compares settings by what was measured alike of all their seeds.

    The test is that of Tukey (1949) for all pairs at once, so that it stays right when the best is
    chosen after a look at the means; it takes the spread over seeds as the same in all settings.

    Args:
        paths: directories of several seeds each, or runs of one.

    Returns:
        What the values hold for, and a comparison for each metric and setting.

    Raises:
        RequestError: no run there, one is there twice, or nothing was measured alike of all seeds.
    """
    twice = [path for path in paths if list(paths).count(path) > 1]
    if twice:
        raise RequestError(f"{twice[0]} is there twice")
    settings = [read(path) for path in paths]
    measured = _common(settings)
    found = []
    for metric in BETTER:
        samples = [setting.values(metric, measured) for setting in settings]
        if any(map(len, samples)):
            found += _compare(metric, settings, samples)
    return measured, found


def read(path: Path) -> Setting:
    """Reads what was measured of the seeds in a directory.

    Raises:
        RequestError: no run there.
    """
    diverged, found = 0, []
    seeds = runs.all_seeds(path)
    for seed in seeds:
        directory, experiment = runs.open_directory(seed)
        if directory.divergence.exists():
            diverged += 1
            continue
        sampled = "ema" if experiment.ema_decay else "raw"
        rows = [row for row in lines.read(directory.evaluation) if row["parameters"] == sampled]
        last = max((row["step"] for row in rows), default=0)
        found.append(tuple(row for row in rows if row["step"] == last))
    return Setting(path, len(seeds), diverged, tuple(found))


def to_csv(comparisons: Sequence[Comparison]) -> str:
    """A line for each metric and setting, with a heading."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    numbers = ("mean", "low", "high", "deviation", "p_value")
    writer.writerow(["directory", "seeds", "diverged", "metric", "count", *numbers, "verdict"])
    for row in comparisons:
        mean = (row.mean.value, row.mean.low, row.mean.high) if row.mean else ("", "", "")
        rest = ("" if number is None else number for number in (row.deviation, row.p_value))
        head = (row.path, row.seeds, row.diverged, row.metric, row.count)
        writer.writerow([*head, *mean, *rest, row.verdict])
    return text.getvalue()


def _common(settings: Sequence[Setting]) -> Measured:
    of_seeds = [{_measured(row) for row in rows} for s in settings for rows in s.rows]
    common = set.intersection(*of_seeds) if of_seeds else set()
    if not common:
        listed = " ".join(str(setting.path) for setting in settings)
        raise RequestError(
            "nothing was measured alike of the last step of all seeds; first, for each of "
            f"{listed}: gan-jax evaluate DIR, with equal --samples and --features"
        )
    return max(common, key=lambda measured: measured[2:])


def _measured(row: Row) -> Measured:
    key = -1 if row["key"] >= FIRST_KEY else row["key"]
    return row["features"], row["features_sha256"], row["drawn"], key


def _compare(
    metric: str, settings: Sequence[Setting], samples: Sequence[Float[np.ndarray, " _"]]
) -> list[Comparison]:
    enough = [number for number, values in enumerate(samples) if len(values) > 1]
    choose = max if BETTER[metric] == "higher" else min
    best = choose(enough, key=lambda number: samples[number].mean(), default=None)
    p_values = {}
    if len(enough) > 1:
        with np.errstate(invalid="ignore", divide="ignore"):
            table = stats.tukey_hsd(*(samples[number] for number in enough)).pvalue
        found = zip(enough, table[enough.index(best)], strict=True)
        # Without any spread over seeds there is no test.
        p_values = {number: p for number, p in found if math.isfinite(p)}
    found = []
    for number, (setting, values) in enumerate(zip(settings, samples, strict=True)):
        several = number in enough
        found.append(
            Comparison(
                setting.path,
                setting.seeds,
                setting.diverged,
                metric,
                len(values),
                of_mean(values).clipped(*POSSIBLE[metric]) if several else None,
                float(values.std(ddof=1)) if several else None,
                None if number == best else p_values.get(number),
                number == best,
            )
        )
    return found
