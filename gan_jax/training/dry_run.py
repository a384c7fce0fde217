"""Describes a run without training it: the experiment, both networks, the memory of a step."""

import dataclasses
import shutil
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax import gan, runs
from gan_jax.common.memory import in_words
from gan_jax.common.nesting import nested
from gan_jax.experiment import Experiment
from gan_jax.runs import serialisation
from gan_jax.runtime import devices
from gan_jax.training.loop import run_steps
from gan_jax.training.parallel_seeds import make_plan
from gan_jax.training.preflight import check_memory, check_shapes

# Bytes, more than any device has: XLA ends the process over arrays whose size it cannot count.
LARGEST = 2**46
FOLD = {"overflow": "fold"}  # rather than truncate shapes
NARROWEST, USUAL = 110, 150  # characters of a line; a terminal that is wider than the first decides


def describe(experiment: Experiment) -> str:
    """Describes a run without loading data; compiles one step.

    Raises:
        RequestError: the networks do not fit each other or the data, or into any device.
    """
    check_memory(experiment, available=LARGEST)
    check_shapes(experiment)
    return "\n".join(
        [
            *_lines("experiment", experiment),
            "",
            *_networks(experiment),
            "",
            *_memory(experiment),
        ]
    )


def _lines(name: str, value: Any, indent: str = "") -> list[str]:
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        shown = serialisation.encode(value)["function"] if callable(value) else repr(value)
        return [f"{indent}{name} = {shown}"]
    lines = [f"{indent}{name} = {type(value).__name__}"]
    for field in serialisation.fields(value):
        lines += _lines(field, getattr(value, field), indent + "  ")
    return lines


def _networks(experiment: Experiment) -> list[str]:
    latent, sample, condition = gan.blank_inputs(experiment, 1)
    inputs = {"generator": latent, "discriminator": sample}
    return [
        _table(getattr(experiment, player), first, condition) for player, first in inputs.items()
    ]


def _table(network: Any, first: Any, condition: Any) -> str:
    """Lists the layers of a network, with their shapes and sizes."""
    wrapped = len(list(nested(network, "inner")))  # whose layers are as many levels deeper
    width = max(NARROWEST, shutil.get_terminal_size((USUAL, 0)).columns)
    table = network.tabulate(
        *(jax.random.key(0), first, condition),
        training=False,
        depth=wrapped,
        console_kwargs={"width": width, "force_terminal": False, "no_color": True},
        column_kwargs=FOLD,
    )
    # Below it Flax sums all variables up as parameters, statistics of BatchNorm among them; the
    # last row has the totals of each kind.
    return table.strip().rpartition("\n")[0].rstrip()


def _memory(experiment: Experiment) -> list[str]:
    """Compiles a step for abstract arrays, with one batch as the data."""
    plan = make_plan("map", 1, experiment.batch_size)
    state = runs.abstract_state(experiment, devices.split_seeds(plan.mesh), seeds=1)
    size = experiment.examples_per_step
    labelled = experiment.data.labels or getattr(experiment.data, "targets", False)
    label = jax.ShapeDtypeStruct((size,), jnp.int32) if labelled else None
    stored = experiment.data.stored
    sample = jax.ShapeDtypeStruct((size, *stored.shape), stored.dtype)
    pool = {"sample": sample, "label": label}
    positions = jax.ShapeDtypeStruct((1, 1, size), jnp.int32)
    count = jax.ShapeDtypeStruct((), jnp.int32)
    compiled = run_steps.lower(
        experiment.static, plan, state, plan.hyperparameters([experiment]), pool, positions, count
    ).compile()
    memory = compiled.memory_analysis()
    temporary, arguments = memory.temp_size_in_bytes, memory.argument_size_in_bytes
    limit = experiment.device_memory_fraction * devices.memory_bytes()
    return [
        f"memory of a step: {in_words(arguments + temporary)} on each device: "
        f"{in_words(arguments)} state and batch, {in_words(temporary)} temporary; plus the data "
        f"set, if it takes at most {in_words(limit)}"
    ]
