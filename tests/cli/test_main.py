"""The command line: what each mistake says, its exit code, and that the disk stays as it was."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax import losses, runs
from gan_jax.sampling import samples
from gan_jax.training.train import train
from tests.command_line import TINY, gan_jax
from tests.tiny import tiny


def size_of(path):
    """Width and height of a picture."""
    with Image.open(path) as picture:
        return picture.size


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["--batch-siez", "3"], ["Perhaps you meant", "--batch-size INT"]),
        (["--generator.widht", "3"], ["--generator.width INT"]),
        (
            ["--steps", "many"],
            ["--steps", "'many'", "(default: 12)", f"gan-jax train {TINY} --help"],
        ),
        (["--steps", "-3"], ["Experiment.steps = -3: must be at least 1"]),
        (["--batch-size", "5000"], ["batch_size must be between 1 and", "2000, not 5000"]),
        (["--update-order", "alternate"], ["alternate", "alternating"]),
        (["--generator.width", "0"], ["Generator.width = 0: must be at least 1"]),
        (["--data.size", "12"], ["generator makes samples of shape (8, 8, 1)", "(12, 12, 1)"]),
        (["--data.source.split", "tests"], ["'test'"]),
        (["--init-from", "nowhere"], ["no run in nowhere"]),
        (["--steps", "3", "--epochs", "2"], ["give one of the two"]),
    ],
)
def test_wrong_requests_say_what_is_right(capsys, tmp_path, arguments, messages):
    code, _, err = gan_jax(capsys, "train", TINY, "--workdir", tmp_path / "run", *arguments)
    assert code == 2
    assert all(message in err for message in messages), err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "required"),
        (["train", "experiments/nothing_here.py"], "no experiment file"),
        (["train", "README.md"], "an experiment is a Python file"),
        (["trian", TINY], "train"),
        (["sample", "nowhere"], "no run in nowhere"),
        (["score", "nowhere", "x.png"], "no run in nowhere"),
        (["score", "nowhere"], "at least one image"),
    ],
)
def test_wrong_words_exit_with_2(capsys, arguments, message):
    code, _, err = gan_jax(capsys, *arguments)
    assert code == 2
    assert message in err


def test_a_workdir_that_cannot_be_made(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = gan_jax(capsys, "train", TINY, "--workdir", tmp_path / "file" / "run")
    assert code == 2
    assert "cannot be written" in err
    code, _, err = gan_jax(capsys, "train", TINY, "--workdir", tmp_path / "file")
    assert code == 2
    assert "is a file, not a directory" in err


def test_epochs_on_the_command_line_replace_the_steps_of_the_file(capsys, tmp_path):
    code, _, err = gan_jax(
        capsys, "train", TINY, "--workdir", tmp_path / "run", "--epochs", "1", "--batch-size", 1000
    )
    assert code == 0, err
    assert "training 2 steps" in err


def test_the_run_directory_is_named_after_the_file(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert gan_jax(capsys, "train", TINY, "--steps", "1")[0] == 0
    assert (tmp_path / "runs" / "tiny_experiment" / "config.json").is_file()


def test_a_changed_field_is_refused_with_what_differs(capsys, run):
    code, _, err = gan_jax(capsys, "train", TINY, "--workdir", run, "--ema-decay", "0.6")
    assert code == 2
    assert "ema_decay: 0.5 -> 0.6" in err


def test_help_of_an_experiment_lists_its_fields(capsys):
    code, out, _ = gan_jax(capsys, "train", TINY, "--help")
    assert code == 0
    for word in ("PATH", "--workdir", "--generator.width", "--data.source.split", "(default: 12)"):
        assert word in out


def test_dry_run_trains_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = gan_jax(capsys, "train", TINY, "--dry-run", "--generator.width", "4")
    assert code == 0
    assert "width = 4" in out
    assert "float32[1,8,8,1]" in "".join(out.split())
    assert "memory of a step" in out
    assert list(tmp_path.iterdir()) == []


def test_the_same_key_and_count_give_the_same_bytes(capsys, run, tmp_path):
    def sampled(name, *arguments):
        out = tmp_path / name
        code, _, err = gan_jax(capsys, "sample", run, "--out", out, *arguments)
        assert code == 0, err
        return out.read_bytes()

    first = sampled("a.png", "--count", 9)
    assert first == sampled("b.png", "--count", 9)
    assert first != sampled("c.png", "--count", 9, "--key", 1)
    assert first != sampled("d.png", "--count", 9, "--raw")
    assert size_of(tmp_path / "a.png") == (3 * 8 + 2 * 2, 3 * 8 + 2 * 2)


def test_npz_holds_samples_and_the_latents_that_made_them(capsys, run, tmp_path):
    out = tmp_path / "x.npz"
    assert gan_jax(capsys, "sample", run, "--count", 5, "--out", out)[0] == 0
    with np.load(out) as saved:
        drawn, latents = saved["samples"], saved["latents"]
    opened = runs.load(run)
    again = samples.from_latents(opened.experiment, opened.state, latents)
    np.testing.assert_array_equal(drawn, again)


def test_an_earlier_checkpoint_is_sampled_where_asked_for(capsys, run, tmp_path):
    code, out, _ = gan_jax(capsys, "sample", run, "--step", 5, "--out", tmp_path / "x.npz")
    assert code == 0
    assert "samples of step 5 in" in out
    opened = runs.load(run, 5)
    expected = samples.draw(opened.experiment, opened.state, 16)
    with np.load(tmp_path / "x.npz") as file:
        np.testing.assert_array_equal(file["samples"], expected)


def test_interpolations_have_a_row_for_each_path(capsys, run, tmp_path):
    out = tmp_path / "x.png"
    assert gan_jax(capsys, "sample", run, "--count", 3, "--interpolate", "--out", out)[0] == 0
    assert size_of(out) == (8 * 8 + 7 * 2, 3 * 8 + 2 * 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "x.jpg"], "must end in .png or .npz"),
        (["--out", "no/such/x.png"], "there is no folder no/such"),
        (["--count", "0"], "--count 0"),
        (["--key", "-1"], "--key -1"),
        (["--seed", "7"], "has seed 0"),
        (["--step", "best"], "no best checkpoint"),
        (["--step", "7"], "there are 5, 10, 12"),
        (["--step", "last"], "--step last: give a step, best or latest"),
        (["--count", "three"], "three"),
    ],
)
def test_wrong_sampling_is_refused(capsys, run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = gan_jax(capsys, "sample", run, *arguments)
    assert code == 2
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_score_prints_a_probability_for_each_image(capsys, run, tmp_path):
    opened = runs.load(run)
    pixels = opened.experiment.data.load().sample[:2]
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image[..., 0]).save(path)
    code, out, said = gan_jax(capsys, "score", run, *paths)
    assert code == 0 and not said
    raw = {"sample": pixels, "label": None}
    images = opened.experiment.data.prepare(raw)["sample"]
    expected = samples.probability_real(opened.experiment, opened.state, images)
    lines = [line.split() for line in out.splitlines()]
    assert [float(line[0]) for line in lines] == pytest.approx(expected, abs=6e-5)
    assert [line[1] for line in lines] == [str(path) for path in paths]


def test_score_says_that_a_file_of_another_size_is_one_image(capsys, run, tmp_path):
    sizes = {"right.png": (8, 8), "grid.png": (24, 16), "tall.png": (8, 9)}
    for name, size in sizes.items():
        Image.new("L", size).save(tmp_path / name)
    code, out, said = gan_jax(capsys, "score", run, *[tmp_path / name for name in sizes])
    assert code == 0
    assert len(out.splitlines()) == 3
    words = "not 8 x 8 pixels, and scaled, each as one image: 2 of 3 files, "
    assert said.strip() == f"warning: {words}{tmp_path / 'grid.png'} the first"


def test_score_says_where_logits_are_no_log_odds(capsys, tmp_path):
    experiment = tiny(loss=losses.Hinge(), steps=1)
    train(experiment, tmp_path / "run")
    Image.fromarray(experiment.data.load().sample[0, ..., 0]).save(tmp_path / "a.png")
    code, out, said = gan_jax(capsys, "score", tmp_path / "run", tmp_path / "a.png")
    assert code == 0 and out
    assert "the loss is Hinge: the sigmoid of a logit orders images, and is no probability" in said


def test_score_names_a_file_that_is_no_image(capsys, run, tmp_path):
    (tmp_path / "x.png").write_text("no image")
    code, _, err = gan_jax(capsys, "score", run, tmp_path / "x.png")
    assert code == 2
    assert "x.png" in err


def test_help_needs_neither_jax_nor_matplotlib():
    script = (
        "import sys; from gan_jax.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'jax', 'flax', 'matplotlib', 'orbax', 'tensorflow_datasets'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, capture_output=True)


class Dense(nn.Module):
    """A generator with a field that holds a function."""

    activation: Callable = nn.relu

    @nn.compact
    def __call__(self, latent, condition=None, *, training):
        return self.activation(nn.Dense(64)(latent)).reshape(-1, 8, 8, 1)


def test_functions_are_given_by_name(capsys, tmp_path):
    file = tmp_path / "with_a_function.py"
    file.write_text(
        "from tests.cli.test_main import Dense\n"
        "from tests.tiny import tiny\n"
        "experiment = tiny(generator=Dense())\n"
    )
    arguments = ("train", file, "--workdir", tmp_path / "run", "--generator.activation")
    code, _, err = gan_jax(capsys, *arguments, "jax.numpy:tanhh")
    assert code == 2
    assert "jax.numpy:tanhh" in err
    code, _, err = gan_jax(capsys, *arguments, "jax.numpy:tanh")
    assert code == 0, err
    assert runs.load(tmp_path / "run").experiment.generator == Dense(jnp.tanh)


def test_truncated_samples_are_other_samples(capsys, run, tmp_path):
    for name, options in (("whole", ()), ("cut", ("--truncation", "0.5"))):
        out = tmp_path / f"{name}.npz"
        assert gan_jax(capsys, "sample", run, "--out", out, *options)[0] == 0
    with np.load(tmp_path / "cut.npz") as cut, np.load(tmp_path / "whole.npz") as whole:
        assert np.abs(cut["latents"]).max() <= 0.5 < np.abs(whole["latents"]).max()
        assert not np.array_equal(cut["samples"], whole["samples"])
        assert "labels" not in cut


@pytest.mark.parametrize(
    "options, message",
    [
        (("--label", "3"), "label 3: the run was trained without labels"),
        (("--truncation", "-1"), "truncation = -1.0: must be a number above 0"),
        (("--truncation", "1", "--interpolate"), "leave --truncation out"),
    ],
)
def test_options_of_sampling_that_mean_nothing_are_refused(capsys, run, tmp_path, options, message):
    out = tmp_path / "samples.png"
    code, _, said = gan_jax(capsys, "sample", run, "--out", out, *options)
    assert code == 2 and message in said
    assert not out.exists()
