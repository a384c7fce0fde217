"""Records of runs: what a start adds to `config.json`, and what has changed since the last one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_jax import runs
from gan_jax.experiment import Experiment
from gan_jax.runs import environment, serialisation, trust
from gan_jax.training.pretrained import InitFrom

Record = dict[str, Any]


def make_records(
    experiments: Mapping[runs.RunDirectory, Experiment],
    file: Path | None,
    init_from: InitFrom | None,
) -> dict[runs.RunDirectory, Record]:
    """Returns the record of each run, as far as it is known without the data."""
    experiment = next(iter(experiments.values()))
    record = runs.make_record(experiment, file, init_from.record() if init_from else None)
    return {
        directory: record | {"experiment": serialisation.encode(each)}
        for directory, each in experiments.items()
    }


def changes_in_words(
    earlier: Record | None, record: Record, resumed_at: int | None
) -> tuple[str, ...]:
    """Says what differs from the earlier record of a run, in a message for each kind of change.

    Args:
        earlier: the record of the run; None for a new one.
        record: that of its new start.
        resumed_at: the step of the checkpoint from which it goes on; None if it does not.
    """
    if earlier is None:
        return ()
    changed = [runs.length_change(earlier, record)]
    if resumed_at is not None:
        changed.append(environment.announcement(earlier, record, resumed_at))
    return tuple(filter(None, changed))


def extend(
    earlier: Record | None, record: Record, resumed_at: int | None, fitted: dict[str, Any] | None
) -> Record:
    """Returns the record of a run together with its earlier one.

    Args:
        earlier: its record until now; None for a new run.
        record: that of its new start, with the data's class names.
        resumed_at: the step from which it is trained now; None if it is finished.
        fitted: what the data have fitted now, see `preflight.fitted_values`.
    """
    whole = runs.extend_record(earlier, record, resumed_at)
    # Sub-folders may have other names than when the run started. What was fitted then stays, if it
    # was recorded: now it may be rounded in another way.
    whole = whole | {"class_names": record["class_names"]}
    return whole if whole.get("fitted") is not None else whole | {"fitted": fitted}


def write(directory: runs.RunDirectory, record: Record) -> None:
    """Writes a record if it has changed, and trusts its code, which this process has imported."""
    if record != runs.read_record(directory):
        runs.write_record(directory, record)
    trust.remember(record["experiment"], record["file"])
