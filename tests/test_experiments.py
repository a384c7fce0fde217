"""Every file in experiments/, shrunken, trains; its docstring says how it was measured."""

import ast
import dataclasses
import re
import string
from pathlib import Path

import jax
import numpy as np
import pytest
import soundfile

from gan_jax import gan, runs
from gan_jax.data import images
from gan_jax.data.audio import Audio
from gan_jax.data.few_labels import FewLabels, few_labels
from gan_jax.runs.serialisation import load_experiment, load_file
from gan_jax.training import dry_run
from gan_jax.training.outcome import Outcome
from gan_jax.training.train import train
from tests.command_line import gan_jax

FOLDER = Path(__file__).parents[1] / "experiments"
STUDIES = sorted(FOLDER.glob("study_*.py"))  # of many experiments
FILES = [file for file in sorted(FOLDER.glob("*.py")) if file not in STUDIES]


@pytest.fixture(autouse=True)
def few_programs():
    """Lets each experiment's programs go: those of all files take more mappings than Linux gives.

    See `few_mappings` in conftest.py.
    """
    yield
    jax.clear_caches()


def few_examples(data, folder):
    """Data of the same shape: a few points, a short text, or noise for images and recordings."""
    if isinstance(data, Audio):
        make_recordings(folder, data)
        return dataclasses.replace(
            data, source=dataclasses.replace(data.source, path=str(folder / data.source.path))
        )
    if len(data.sample_shape) == 1:
        return dataclasses.replace(data, count=40)
    if len(data.sample_shape) == 2:
        (folder / "text.txt").write_text(string.printable * 5)
        return dataclasses.replace(data, path=str(folder / "text.txt"))
    size, channels = data.size, data.channels
    noise = np.random.default_rng(0).integers(0, 256, (40, size, size, channels), dtype=np.uint8)
    np.savez(folder / "noise.npz", images=noise, labels=np.arange(40) % 10)
    whole = images.arrays(folder / "noise.npz", size, channels, data.labels)
    return few_labels(whole, 1) if isinstance(data, FewLabels) else whole


def make_recordings(folder, data):
    """Noise in files that are called as the data have them, under the path that they have."""
    source, noise = data.source, np.random.default_rng(0)
    field, values = source.field_and_values
    for number in range(40):
        fields = {name: str(number) for _, name, _, _ in string.Formatter().parse(source.pattern)}
        fields |= {"label": str(number % 10), field: [*values, "train"][number % (len(values) + 1)]}
        path = folder / source.path / f"{source.pattern.format(**fields)}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise.uniform(-0.5, 0.5, data.length), data.rate)


def narrow(network):
    """The same network with as few channels as it takes."""
    fields = {field.name for field in dataclasses.fields(network)}
    if "inner" in fields:
        return network.clone(inner=narrow(network.inner))
    if "widths" in fields:
        grouped = {"blocks": 1, "group": 8} if "group" in fields else {}
        return network.clone(widths=(8,) * len(network.widths), **grouped)
    return network.clone(width=2) if "width" in fields else network


# One of each kind of network and data; the others would take as long again to compile.
FAST = [
    "conditional_mnist_concatenation",
    "dcgan_mnist",
    "dirac",
    "quickstart",
    "toy_grid",
]


def slow_but(fast):
    """All files as parameters, of which those that are not named are for slow tests."""
    marks = [() if file.stem in fast else pytest.mark.slow for file in FILES]
    return [
        pytest.param(file, id=file.stem, marks=mark)
        for file, mark in zip(FILES, marks, strict=True)
    ]


@pytest.mark.parametrize("file", slow_but(FAST))
def test_shrunken_experiment_trains(file, tmp_path):
    experiment = load_experiment(file)
    shrunken = dataclasses.replace(
        experiment,
        generator=narrow(experiment.generator),
        discriminator=narrow(experiment.discriminator),
        data=few_examples(experiment.data, tmp_path),
        batch_size=4,
        steps=2,
        epochs=None,
        log_every=1,
        evaluate_every=None,
        discriminator_steps=min(experiment.discriminator_steps, 2),
    )
    assert train(shrunken, tmp_path / "run", file=file) is Outcome.FINISHED
    run = runs.load(tmp_path / "run")
    assert run.experiment == shrunken
    assert int(run.state.step) == 2


@pytest.mark.parametrize("file", FILES + STUDIES, ids=lambda file: file.stem)
def test_docstring_states_the_command(file):
    docstring = ast.get_docstring(ast.parse(file.read_text()))
    command = "sweep" if file in STUDIES else "train"
    assert f"gan-jax {command} experiments/{file.name}" in docstring
    assert re.search("^(Measured|Not measured)", docstring, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_dry_run_of_a_study_lists_its_configurations(capsys, file):
    code, out, err = gan_jax(capsys, "sweep", file, "--dry-run")
    assert code == 0, err
    planned = [line.partition(":")[0] for line in out.splitlines() if line.startswith(" ")]
    assert sorted(planned) == sorted(f"  {name}" for name, _ in load_file(file).experiments())
    assert len(planned) > 2


@pytest.mark.parametrize("name", FAST)
def test_dry_run_describes_the_experiment_and_both_networks(name, monkeypatch):
    # What takes long, tracing and compiling a step, is left to the slow test of all files.
    monkeypatch.setattr(dry_run, "check_shapes", lambda experiment: None)
    monkeypatch.setattr(dry_run, "_memory", lambda experiment: [])
    experiment = load_experiment(FOLDER / f"{name}.py")
    assert_describes(dry_run.describe(experiment), experiment)


@pytest.mark.parametrize("file", slow_but(["toy_ring"]))
def test_dry_run_of_every_experiment(capsys, file, tmp_path, monkeypatch):
    data = load_experiment(file).data
    if isinstance(data, Audio):  # statistics of the recordings are a part of the step
        make_recordings(tmp_path, data)
        monkeypatch.chdir(tmp_path)
    code, out, err = gan_jax(capsys, "train", file, "--dry-run")
    assert (code, err) == (0, "")
    assert_describes(out, load_experiment(file))
    last = out.splitlines()[-1]
    assert re.fullmatch(r"memory of a step: [\d,.]+ \w+ on each device: .*", last)


def assert_describes(text, experiment):
    assert f"  batch_size = {experiment.batch_size}\n" in text
    state = jax.eval_shape(lambda: gan.init(experiment, 0))
    for player in ("generator", "discriminator"):
        assert f"\n  {player} = {type(getattr(experiment, player)).__name__}\n" in text
        parameters = sum(leaf.size for leaf in jax.tree.leaves(getattr(state, player).params))
        assert f"{parameters:,}" in text  # in the table of the network, where lines are folded
