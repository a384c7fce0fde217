"""Describes a run without training it: the experiment, both networks, the memory of a step."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax import gan, runs
from gan_jax.experiment import Experiment
from gan_jax.runs import serialisation
from gan_jax.runtime import devices
from gan_jax.training.loop import run_steps
from gan_jax.training.parallel_seeds import make_plan
from gan_jax.training.preflight import check_memory, check_shapes

MIB = 2**20
# Bytes, more than any device has: XLA ends the process over arrays whose size it cannot count.
LARGEST = 2**46
FOLD = {"overflow": "fold"}  # rather than truncate shapes
PLAIN = {"width": 110, "force_terminal": False, "no_color": True}


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
    options = {"training": False, "depth": 1, "console_kwargs": PLAIN, "column_kwargs": FOLD}
    return [
        getattr(experiment, player).tabulate(jax.random.key(0), first, condition, **options).strip()
        for player, first in inputs.items()
    ]


def _memory(experiment: Experiment) -> list[str]:
    """Compiles a step for abstract arrays, with one batch as the data."""
    plan = make_plan("map", 1, experiment.batch_size)
    state = runs.abstract_state(experiment, devices.split_seeds(plan.mesh), seeds=1)
    size = experiment.examples_per_step
    label = jax.ShapeDtypeStruct((size,), jnp.int32) if experiment.data.labels else None
    stored = experiment.data.stored
    sample = jax.ShapeDtypeStruct((size, *stored.shape), stored.dtype)
    pool = {"sample": sample, "label": label}
    positions = jax.ShapeDtypeStruct((1, 1, size), jnp.int32)
    count = jax.ShapeDtypeStruct((), jnp.int32)
    compiled = run_steps.lower(
        experiment.static, plan, state, plan.hyperparameters([experiment]), pool, positions, count
    ).compile()
    memory = compiled.memory_analysis()
    temporary = memory.temp_size_in_bytes / MIB
    arguments = memory.argument_size_in_bytes / MIB
    limit = experiment.device_memory_fraction * devices.memory_bytes() / MIB
    return [
        f"memory of a step: {arguments + temporary:.0f} MiB on each device: {arguments:.0f} state "
        f"and batch, {temporary:.0f} temporary; plus the data set, if it takes at most "
        f"{limit:.0f} MiB"
    ]
