"""An evaluation as a table on the terminal."""

import sys
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from gan_jax.evaluation.compare import Basis, Comparison
from gan_jax.evaluation.evaluate import Evaluation
from gan_jax.evaluation.lines import Row
from gan_jax.metrics.estimate import of_mean
from gan_jax.metrics.names import POSSIBLE

PLAIN_WIDTH = 500  # characters of a line where the output is no terminal and must not be wrapped


def show(evaluation: Evaluation) -> None:
    """Prints what the values hold for, and the values."""
    console, plain = make_console()
    for fact in evaluation.facts:
        console.print(fact, markup=False, highlight=False)
    console.print(table(evaluation.rows, plain))


def show_comparisons(basis: Basis, comparisons: Sequence[Comparison]) -> None:
    """Prints a line for each metric and setting; a single seed has its value alone."""
    console, plain = make_console()
    console.print(str(basis), markup=False, highlight=False)
    made = empty_table(plain)
    for heading in ("metric", "directory", "seeds", "diverged", "seconds"):
        made.add_column(heading)
    for heading in ("mean", "deviation", "p", "verdict"):
        made.add_column(heading)
    for row in comparisons:
        mean = " ".join(f"{value:.4g}" for value in row.values)
        if row.mean:
            mean = shown(row.mean.value, row.mean.low, row.mean.high)
        deviation = "" if row.standard_deviation is None else f"{row.standard_deviation:.3g}"
        p_value = "" if row.p_value is None else f"{row.p_value:.2g}"
        seconds = "" if row.setting.seconds is None else f"{row.setting.seconds:.0f}"
        counts = (str(len(row.values)), f"{row.setting.diverged} of {row.setting.seeds}", seconds)
        cells = (row.metric, str(row.setting.path), *counts, mean, deviation, p_value, row.verdict)
        made.add_row(*cells)
    console.print(made)


def make_console() -> tuple[Console, bool]:
    """What prints on stdout, and whether that is no terminal and tables are plain text."""
    plain = not sys.stdout.isatty()
    return Console(width=PLAIN_WIDTH if plain else None, soft_wrap=plain), plain


def empty_table(plain: bool) -> Table:
    """A table without columns."""
    return Table(box=None, padding=(0, 2, 0, 0)) if plain else Table()


def table(rows: Sequence[Row], plain: bool) -> Table:
    """A line for each metric and parameters, a column for each seed, and their mean.

    Behind each value stands its 95 % interval over draws of the samples; behind the mean of several
    seeds that over seeds (Student's t), cut to what is possible.
    """
    seeds = list(dict.fromkeys(row.get("seed") for row in rows))
    made = empty_table(plain)
    made.add_column("metric")
    made.add_column("of")
    made.add_column("samples", justify="right")
    if len(seeds) > 1:
        made.add_column(f"mean over {len(seeds)} seeds")
    for seed in seeds:
        made.add_column("value" if seed is None else f"seed {seed}")
    for metric in dict.fromkeys(row["metric"] for row in rows):
        of_metric = [row for row in rows if row["metric"] == metric]
        for parameters in dict.fromkeys(row.get("parameters") for row in of_metric):
            found = [row for row in of_metric if row.get("parameters") == parameters]
            made.add_row(*_cells(found, len(seeds) > 1))
    return made


def shown(value: float | None, low: float | None, high: float | None) -> str:
    """A value with its interval, for example '12.3 (11.8 to 12.9)'."""
    if value is None:
        return "infinite"
    return f"{value:.4g} ({low:.4g} to {high:.4g})"


def _cells(rows: Sequence[Row], several: bool) -> list[str]:
    row = rows[0]
    cells = [row["metric"], row.get("parameters", "first"), f"{row['samples']:,}"]
    if several:
        values = [row["value"] for row in rows]
        # Held-out examples are the same for every seed.
        if row["parameters"] == "real" or None in values:
            cells.append("")
        else:
            mean = of_mean(np.array(values)).clipped(*POSSIBLE[row["metric"]])
            cells.append(shown(mean.value, mean.low, mean.high))
    return cells + [shown(row["value"], row["low"], row["high"]) for row in rows]
