"""A comparison as a CSV file."""

import csv
import io
from collections.abc import Sequence

from gan_jax.evaluation.compare import Basis, Comparison

SETTING = ["directory", "seeds", "diverged", "seconds"]


BASIS = ["features", "features_sha256", "drawn", "key"]


RESULT = ["metric", "count", "mean", "low", "high", "standard_deviation", "p_value", "verdict"]


def to_csv(basis: Basis, comparisons: Sequence[Comparison]) -> str:
    """A line for each metric and setting, with a heading; a single seed has its value as mean."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(SETTING + BASIS + RESULT)
    for row in comparisons:
        setting, mean = row.setting, row.mean
        head = [setting.path, setting.seeds, setting.diverged, setting.seconds]
        middle = [mean.value, mean.low, mean.high] if mean else [*row.values, None, None][-3:]
        head += [*basis, row.metric, len(row.values)]
        writer.writerow([*head, *middle, row.standard_deviation, row.p_value, row.verdict])
    return text.getvalue()
