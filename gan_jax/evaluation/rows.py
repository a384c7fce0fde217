"""The rows of evaluation.jsonl and recognition.jsonl: each is one metric of one set of samples."""

import json
import math
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from gan_jax.common import locks
from gan_jax.common.files import read_json_lines, write_atomically
from gan_jax.evaluation.measure import Measured
from gan_jax.features.network import FeatureNetwork
from gan_jax.metrics.names import METRICS

NUMBERS = ("step", "seed", "samples", "key", "drawn", "size", "channels", "per_class")

# Rows that agree in these fields are of the same measurement: the newer replaces the older.
IDENTIFYING = (
    "step",
    "seed",
    "parameters",
    "features",
    "features_sha256",
    "samples",
    "split",
    "metric",
    "key",
    "drawn",
    "labels",
    "held_out",
    "first",
    "second",
    "size",
    "channels",
    "run",
    "class",
    "trained_on",
    "per_class",
)

# Metrics that compare samples with held-out examples, and not only with those trained on.
OF_HELD_OUT = tuple(name for name, metric in METRICS.items() if metric.of_held_out)

NO_FEATURES = "none"  # as the name and hash of a feature network

Row = dict[str, Any]


def make_rows(
    measured: dict[str, Measured], network: FeatureNetwork | None, split: str, **source: str | int
) -> list[Row]:
    """Makes rows of measured metrics; infinite values become null.

    Args:
        measured: metrics by name.
        network: whose features were compared, if any were.
        split: of the real examples that the generator learns from.
        source: what the samples are and where they come from: step, seed, parameters, key, and how
            many were drawn, of which a metric may have measured fewer; where the data have them,
            how labels were drawn; which examples were held out, if the metrics depend on them; of
            two sets of images, their names, size and channels.
    """
    source |= features_fields(network)
    return [
        {
            **source,
            "samples": samples,
            "real_samples": real,
            "split": split,
            "metric": name,
            "value": _finite(estimate.value),
            "low": _finite(estimate.low),
            "high": _finite(estimate.high),
        }
        for name, (estimate, samples, real) in measured.items()
    ]


def features_fields(network: FeatureNetwork | None) -> dict[str, str]:
    """Returns the fields of a row that say whose features were compared."""
    if network is None:
        return {"features": NO_FEATURES, "features_sha256": NO_FEATURES}
    return {"features": network.name, "features_sha256": network.sha256()}


def read_rows(path: Path) -> list[Row]:
    """Reads the rows of a file and leaves out damaged ones; [] if there is no file."""
    return [
        row
        for row in read_json_lines(path)
        if isinstance(row.get("metric"), str)
        and all(_is_value(row.get(name, "")) for name in ("value", "low", "high"))
        and all(_is_identity(name, row[name]) for name in IDENTIFYING if name in row)
    ]


def of_newest_held_out(rows: Iterable[Row]) -> list[Row]:
    """Leaves out rows of metrics of OF_HELD_OUT that were measured with other held-out examples.

    Args:
        rows: of one run, oldest first; the newest says with which examples.
    """
    rows = list(rows)
    found = [row.get("held_out") for row in rows if row["metric"] in OF_HELD_OUT]
    return [
        row for row in rows if row["metric"] not in OF_HELD_OUT or row.get("held_out") == found[-1]
    ]


def record_rows(path: Path, new: Iterable[Row]) -> None:
    """Adds rows to a file, in place of those of the same measurements; whole or not at all."""
    new = list(new)
    again = {_identity(row) for row in new}
    with locked(path):
        kept = [row for row in read_rows(path) if _identity(row) not in again]
        text = "".join(json.dumps(row) + "\n" for row in kept + new)
        write_atomically(path, text.encode())


def locked(path: Path) -> AbstractContextManager[None]:
    """Returns a context in which no other process changes the file."""
    return locks.locked(path.with_name(f".{path.name}.lock"))


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None  # JSON has no infinity


def _is_value(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and math.isfinite(value))


def _is_identity(name: str, value: Any) -> bool:
    return value is None or isinstance(value, int if name in NUMBERS else str)


def _identity(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in IDENTIFYING)
