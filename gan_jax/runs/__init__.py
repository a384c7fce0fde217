"""Runs on disk: their files, records and checkpoints, and opening them again."""

from gan_jax.runs.directory import CONFIGURATIONS, SEED_PREFIX, SWEEP, RunDirectory
from gan_jax.runs.open import (
    Run,
    Step,
    abstract_state,
    all_seeds,
    check_data,
    check_fitted,
    load,
    one_seed,
    open_directory,
    require_record,
)
from gan_jax.runs.record import (
    claim,
    claim_for_seeds,
    experiment_of,
    extend_record,
    length_change,
    make_record,
    read_divergence,
    read_record,
    read_seconds,
    write_record,
)

__all__ = [
    "CONFIGURATIONS",
    "SEED_PREFIX",
    "SWEEP",
    "Run",
    "RunDirectory",
    "Step",
    "abstract_state",
    "all_seeds",
    "check_data",
    "check_fitted",
    "claim",
    "claim_for_seeds",
    "experiment_of",
    "extend_record",
    "length_change",
    "load",
    "make_record",
    "one_seed",
    "open_directory",
    "read_divergence",
    "read_record",
    "read_seconds",
    "require_record",
    "write_record",
]
