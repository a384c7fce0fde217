"""The whole update of every experiment compiles for GPU and TPU, with native convolutions only."""

import re

import jax
import jax.numpy as jnp
import pytest

from gan_jax import gan
from gan_jax.networks import mlp, semi_supervised
from gan_jax.runs.serialisation import load_experiment
from tests.test_experiments import FAST, slow_but

# A custom call that only tells the compiler how arrays are sharded.
HARMLESS = {"Sharding"}


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
@pytest.mark.parametrize("file", slow_but(FAST))
def test_the_update_lowers(file, platform):
    experiment = load_experiment(file)
    state = jax.eval_shape(lambda: gan.init(experiment, 0))
    size = experiment.examples_per_step
    labels = jax.ShapeDtypeStruct((size,), jnp.int32)
    batch = {
        "sample": jax.ShapeDtypeStruct((size, *experiment.data.sample_shape), jnp.float32),
        "condition": labels if experiment.data.labels else None,
    }
    if getattr(experiment.loss, "needs_labels", False):
        batch["label"] = labels
    update = jax.jit(lambda state, batch: gan.update(experiment, state, batch))
    module = jax.export.export(update, platforms=[platform])(state, batch).mlir_module()
    perceptrons = isinstance(experiment.generator, mlp.Generator | semi_supervised.Generator)
    perceptrons |= file.stem == "dirac"  # whose networks are single parameters
    assert ("stablehlo.convolution" in module) != perceptrons
    # Batched products are those of the transforms that stand for convolutions on a CPU, and of
    # attention.
    if not getattr(experiment.generator, "attention", False):
        assert not re.search(r"dot_general[^\n]*batching_dims", module)
    assert "stablehlo.fft" not in module
    assert set(re.findall(r"custom_call @(\w+)", module)) <= HARMLESS
