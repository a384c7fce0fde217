"""Every file in experiments/, shrunken, trains; its docstring says how it was measured."""

import ast
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from gan_jax import runs
from gan_jax.config import load_experiment
from gan_jax.data import images
from gan_jax.loop import Outcome
from gan_jax.train import train

FILES = sorted((Path(__file__).parents[1] / "experiments").glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_shrunken_experiment_trains(file, tmp_path):
    experiment = load_experiment(file)
    size, channels = experiment.data.size, experiment.data.channels
    noise = np.random.default_rng(0).integers(0, 256, (40, size, size, channels), dtype=np.uint8)
    np.savez(tmp_path / "noise.npz", images=noise)
    shrunken = dataclasses.replace(
        experiment,
        generator=experiment.generator.clone(width=2),
        discriminator=experiment.discriminator.clone(width=2),
        data=images.arrays(tmp_path / "noise.npz", size, channels),
        batch_size=4,
        steps=2,
        epochs=None,
        log_every=1,
    )
    assert train(shrunken, tmp_path / "run", file=file) is Outcome.FINISHED
    run = runs.load(tmp_path / "run")
    assert run.experiment == shrunken
    assert int(run.state.step) == 2


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_docstring_states_the_command(file):
    docstring = ast.get_docstring(ast.parse(file.read_text()))
    assert f"gan-jax train experiments/{file.name}" in docstring
    assert "Measured" in docstring
