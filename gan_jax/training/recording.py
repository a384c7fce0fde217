"""What `config.json` records of runs that start or go on, and whether it lets them."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_jax import runs
from gan_jax.experiment import Experiment
from gan_jax.runs import checkpoints, environment, serialisation, trust
from gan_jax.training.pretrained import InitFrom
from gan_jax.training.start import Start

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


def claim(directory: runs.RunDirectory, record: Record, accept_changes: bool) -> Record | None:
    """`runs.claim`, and a check that the run makes the same random draws as before."""
    earlier = runs.claim(directory, record)
    saved = checkpoints.steps(directory.checkpoints)
    if earlier and saved and not accept_changes:
        environment.check_draws(earlier, record, directory.path, saved[-1])
    return earlier


def announce_changes(start: Start, earlier: Record | None, record: Record, last_step: int) -> Start:
    """Adds messages about what differs from the earlier record of a run."""
    changed = []
    if earlier:
        changed.append(runs.length_change(earlier, record))
    if start.restored and start.step < last_step:
        changed.append(environment.announcement(earlier, record, start.step))
    return dataclasses.replace(start, messages=(*start.messages, *filter(None, changed)))


def extend(
    start: Start, earlier: Record | None, record: Record, last_step: int, fitted: Any
) -> Record:
    """Returns the record of a run together with its earlier one.

    Args:
        start: where the run starts.
        earlier: its record until now; None for a new run.
        record: of this start, with the data's class names.
        last_step: at which training is to end.
        fitted: what the data have fitted now, see `preflight.fitted_values`.
    """
    whole = runs.extend_record(earlier, record, start.step if start.step < last_step else None)
    # Sub-folders may have other names than when the run started. What was fitted then stays, if it
    # was recorded: now it may be rounded in another way.
    whole = whole | {"class_names": record["class_names"]}
    return whole if whole.get("fitted") is not None else whole | {"fitted": fitted}


def write(directory: runs.RunDirectory, record: Record) -> None:
    """Writes the record of a run that has just been run, so that its code is trusted."""
    if record != runs.read_record(directory):
        runs.write_record(directory, record)
    trust.remember(record["experiment"], record["file"])
