"""A comparison as a CSV file."""

import csv
import io
from collections.abc import Sequence

from gan_jax.evaluation.compare import Basis, Comparison

CONFIGURATION = ["directory", "seeds", "diverged", "seconds"]
BASIS = ["features", "features_sha256", "drawn", "key"]
RESULT = ["metric", "count", "mean", "low", "high", "standard_deviation", "p_value", "conclusion"]


def to_csv(tables: Sequence[tuple[Basis, Sequence[Comparison]]]) -> str:
    """Returns a heading and, for each basis, one line for each metric and configuration.

    The mean of a single seed is its value, without an interval.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CONFIGURATION + BASIS + RESULT)
    for basis, row in ((basis, row) for basis, rows in tables for row in rows):
        of, mean = row.configuration, row.mean
        head = [of.path, of.seeds, of.diverged, of.seconds, *basis, row.metric, len(row.values)]
        middle = [mean.value, mean.low, mean.high] if mean else [*row.values, None, None][-3:]
        writer.writerow([*head, *middle, row.standard_deviation, row.p_value, row.conclusion])
    return text.getvalue()
