"""Evaluations and comparisons as tables on the terminal."""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from gan_jax.evaluation.compare import Basis, Comparison, Configuration
from gan_jax.evaluation.of_runs import Evaluation
from gan_jax.evaluation.rows import Row
from gan_jax.metrics.estimate import of_mean
from gan_jax.metrics.names import METRICS

NARROWEST = 20  # width in characters of a column whose cells may take several lines
MOST_CLASSES = 20  # in a table
PLAIN_WIDTH = 500  # characters of a line if stdout is not a terminal, where no line may be wrapped


def show(evaluation: Evaluation, file: str = "evaluation.jsonl", over: str = "samples") -> None:
    """Prints how the values were measured, and the values as a table.

    Args:
        evaluation: what was measured.
        file: of each run, where the values are recorded.
        over: what the interval of a single value is for: other samples, for example.
    """
    console, plain = make_console()
    for fact in evaluation.facts:
        console.print(fact, markup=False, highlight=False)
    rows = evaluation.rows
    made = table(rows, plain)
    several = len({row.get("seed") for row in rows}) > 1
    if not plain and several and _widths(console, made).maximum > console.width:
        made = table(rows, plain, single_seeds=False)
        console.print(f"too wide to show single seeds: see {file} of each run")
        if any(row["parameters"] == "real" for row in rows):
            console.print(f"real: one value for all seeds, with its interval over {over}")
    if any(row["metric"] == "kernel_distance" and row["low"] <= 0 for row in rows):
        console.print("kernel_distance: an interval that reaches 0 is up to 2.6 times too wide")
    print_whole(console, made)


def show_accuracies(evaluation: Evaluation) -> None:
    """Prints accuracies of classifiers, by what they were trained on where that differs."""
    if any("per_class" in row for row in evaluation.rows):
        _show_few(evaluation)
    elif any("trained_on" in row for row in evaluation.rows):
        _show_unbalanced(evaluation)
    else:
        _show_samples(evaluation)


def show_comparisons(basis: Basis, comparisons: Sequence[Comparison]) -> None:
    """Prints a line for each metric and configuration; a single seed has no interval."""
    console, plain = make_console()
    console.print(str(basis), markup=False, highlight=False)
    if not plain:
        _show_by_metric(console, comparisons)
        return
    headings = ("metric", "directory", "seeds", "diverged", "seconds", "mean", "deviation", "p")
    made = compact_table(*headings, "conclusion")
    for row in comparisons:
        p_value = "" if row.p_value is None else f"{row.p_value:.2g}"
        counts = (str(len(row.values)), *_diverged_and_seconds(row.configuration))
        where = Text(str(row.configuration.path))
        cells = (row.metric, where, *counts, *_mean_and_deviation(row))
        made.add_row(*cells, p_value, row.conclusion)
    console.print(made)


def make_console() -> tuple[Console, bool]:
    """Makes a console for stdout; also returns whether to print plain text, for no terminal."""
    plain = not sys.stdout.isatty()
    return Console(width=PLAIN_WIDTH if plain else None, soft_wrap=plain), plain


def compact_table(*headings: str) -> Table:
    """Makes an empty table without a box, which would take up width."""
    return Table(*headings, box=None, padding=(0, 2, 0, 0), pad_edge=False)


def print_whole(console: Console, made: Table, wrapped: str = "") -> None:
    """Prints a table without cutting a cell, if necessary in lines wider than the terminal.

    Args:
        console: where to print.
        made: the table.
        wrapped: heading of the only column whose cells may take several lines.
    """
    for column in made.columns:
        if column.header == wrapped:
            column.overflow, column.max_width = "fold", NARROWEST
        else:
            column.no_wrap = True
            column.min_width = max(cell_len(str(cell)) for cell in (column.header, *column.cells))
    least = _widths(console, made).minimum
    for column in made.columns:
        column.max_width = None  # it may take all the room there is
    if least > console.width:
        made.width = least
    console.print(made, crop=False)


def table(rows: Sequence[Row], plain: bool, single_seeds: bool = True) -> Table:
    """Makes a table with a line for each metric and parameters, and a column for each seed.

    Each value is followed by its 95 % interval. The mean of several seeds
    is followed by its interval over seeds (Student's t), clipped to possible values. Held-out
    examples have the same value for every seed, and so no mean.

    Args:
        rows: lines of evaluation.jsonl.
        plain: whether to leave out the box.
        single_seeds: whether seeds have columns; if not, the value of held-out examples is in the
            column of means.
    """
    seeds = list(dict.fromkeys(row.get("seed") for row in rows))
    made = compact_table() if plain else Table()
    made.add_column("metric")
    made.add_column("of")
    made.add_column("samples", justify="right")
    if len(seeds) > 1:
        made.add_column(f"mean over {len(seeds)} seeds")
    for seed in seeds if single_seeds else ():
        made.add_column("value" if seed is None else f"seed {seed}")
    for metric in dict.fromkeys(row["metric"] for row in rows):
        of_metric = [row for row in rows if row["metric"] == metric]
        for parameters in dict.fromkeys(row.get("parameters") for row in of_metric):
            found = [row for row in of_metric if row.get("parameters") == parameters]
            made.add_row(*_cells(found, len(seeds) > 1, single_seeds))
    return made


def shown(value: float | None, low: float | None, high: float | None) -> str:
    """Formats a value with its interval, for example '12.3 (11.8 to 12.9)'."""
    if value is None:
        return "infinite"
    return f"{value:.4g} ({low:.4g} to {high:.4g})"


def _show_by_metric(console: Console, comparisons: Sequence[Comparison]) -> None:
    """Prints the directories, then for each metric their results, in few columns."""
    configurations = {row.configuration.path: row.configuration for row in comparisons}
    # With tuples this compares whole names, not characters.
    common = os.path.commonprefix([path.parent.parts for path in configurations])  # noqa: RUF071
    names = {path: str(Path(*path.parts[len(common) :])) for path in configurations}
    if common:
        console.print(f"directories in {Path(*common)}", markup=False, highlight=False)
    made = compact_table("directory", "diverged", "seconds")
    for path, configuration in configurations.items():
        made.add_row(Text(names[path]), *_diverged_and_seconds(configuration))
    print_whole(console, made)
    console.print()
    made = compact_table("metric, directory", "seeds", "mean", "deviation", "conclusion")
    metric = None
    for row in comparisons:
        if row.metric != metric:
            metric = row.metric
            made.add_row(metric, style="bold")
        p_value = "" if row.p_value is None else f" (p={row.p_value:.2g})"
        seeds = str(len(row.values))
        name = Text("  " + names[row.configuration.path])
        made.add_row(name, seeds, *_mean_and_deviation(row), row.conclusion + p_value)
    print_whole(console, made, wrapped="conclusion")


def _widths(console: Console, made: Table) -> Measurement:
    """Measures the width that a table needs, however wide the terminal is."""
    return Measurement.get(console, console.options.update(max_width=sys.maxsize), made)


def _diverged_and_seconds(of: Configuration) -> tuple[str, str]:
    seconds = "" if of.seconds is None else f"{of.seconds:.0f}"
    return f"{of.diverged} of {of.seeds}", seconds


def _mean_and_deviation(row: Comparison) -> tuple[str, str]:
    mean = " ".join(f"{value:.4g}" for value in row.values)
    if row.mean:
        mean = shown(row.mean.value, row.mean.low, row.mean.high)
    return mean, "" if row.standard_deviation is None else f"{row.standard_deviation:.3g}"


def _show_samples(evaluation: Evaluation) -> None:
    """Prints a table of all classes, and one of each class."""
    of_class = [row for row in evaluation.rows if "class" in row]
    overall = tuple(row for row in evaluation.rows if "class" not in row)
    over = "classifiers and tests"
    show(replace(evaluation, rows=overall), "recognition.jsonl", over)
    console, plain = make_console()
    several = len({row["seed"] for row in overall}) > 1
    console.print(f"intervals: over {over}" + ("; of means and below, over seeds" * several))
    columns = dict.fromkeys((row["metric"], row["parameters"]) for row in of_class)
    made = compact_table() if plain else Table()
    for heading in ("class", *(f"{metric}, {parameters}" for metric, parameters in columns)):
        made.add_column(heading)
    names = list(dict.fromkeys(row["class"] for row in of_class))
    if len(names) > MOST_CLASSES:
        console.print(f"the {MOST_CLASSES} classes of lowest {of_class[0]['metric']}")
        names = _lowest(of_class, of_class[0]["metric"])[:MOST_CLASSES]
    for name in names:
        found = [row for row in of_class if row["class"] == name]
        cells = [
            _of_seeds([row for row in found if (row["metric"], row["parameters"]) == column])
            for column in columns
        ]
        made.add_row(Text(name), *cells)
    print_whole(console, made)


def _show_few(evaluation: Evaluation) -> None:
    """Prints a line for each number of real examples."""
    rows = [row for row in evaluation.rows if "class" not in row]
    lines = [((str(number),), of) for number, of in _grouped(rows, "per_class").items()]
    _show_by_training(evaluation.facts, ("of each class",), lines)


def _show_unbalanced(evaluation: Evaluation) -> None:
    """Prints a line for all classes, and one for each class, the rarest first."""
    of_class = _grouped(evaluation.rows, "class")
    of_all = of_class.pop(None)
    lines = [(("all", f"{of_all[0]['generator_examples']:,}"), of_all)]
    for of in sorted(of_class.values(), key=lambda of: of[0]["class_examples"]):
        lines.append(((of[0]["class"], f"{of[0]['class_examples']:,}"), of))
    facts = evaluation.facts
    if len(of_class) > MOST_CLASSES:
        facts = (*facts, f"the {MOST_CLASSES} rarest classes")
    _show_by_training(facts, ("class", "examples"), lines[: MOST_CLASSES + 1])


def _show_by_training(
    facts: Sequence[str],
    headings: tuple[str, ...],
    lines: Sequence[tuple[tuple[str, ...], Sequence[Row]]],
) -> None:
    """Prints a table with a column for each kind of training.

    Args:
        facts: how accuracies were measured.
        headings: of the first columns.
        lines: of each, what stands in the first columns, and the rows of all kinds of training.
    """
    console, plain = make_console()
    for fact in facts:
        console.print(fact, markup=False, highlight=False)

    def column(row: Row) -> str:
        return row.get("trained_on", row["metric"])

    columns = dict.fromkeys(column(row) for _, of in lines for row in of)
    made = compact_table() if plain else Table()
    for heading in (*headings, *columns):
        made.add_column(heading)
    for first, of in lines:
        cells = [_of_seeds([row for row in of if column(row) == each]) for each in columns]
        made.add_row(*map(Text, first), *cells)
    print_whole(console, made)


def _grouped(rows: Sequence[Row], field: str) -> dict[Any, list[Row]]:
    """Groups rows by a field, which some may lack, in the order in which its values come."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.get(field), []).append(row)
    return groups


def _lowest(rows: Sequence[Row], metric: str) -> list[str]:
    """Returns names of classes, those of the lowest mean of a metric first."""
    values: dict[str, list[float]] = {}
    for row in rows:
        if row["metric"] == metric and row["parameters"] != "real":
            values.setdefault(row["class"], []).append(row["value"])
    return sorted(values, key=lambda name: np.mean(values[name]))


def _of_seeds(rows: Sequence[Row]) -> str:
    """Formats the mean over seeds of a metric, or the value of one seed or of real examples."""
    if not rows:
        return ""
    first = rows[0]
    if len(rows) == 1 or first["parameters"] == "real":
        return shown(first["value"], first["low"], first["high"])
    mean = of_mean(np.array([row["value"] for row in rows]))
    mean = mean.clipped(*METRICS[first["metric"]].possible)
    return shown(mean.value, mean.low, mean.high)


def _cells(rows: Sequence[Row], several: bool, single_seeds: bool) -> list[str]:
    row = rows[0]
    cells = [row["metric"], row.get("parameters", "first"), f"{row['samples']:,}"]
    each = [shown(row["value"], row["low"], row["high"]) for row in rows]
    if several:
        values = [row["value"] for row in rows]
        # Held-out examples are the same for every seed.
        if row["parameters"] == "real":
            cells.append("" if single_seeds else each[0])
        elif None in values:
            cells.append("" if single_seeds else "infinite")
        else:
            mean = of_mean(np.array(values)).clipped(*METRICS[row["metric"]].possible)
            cells.append(shown(mean.value, mean.low, mean.high))
    return cells + each if single_seeds else cells
