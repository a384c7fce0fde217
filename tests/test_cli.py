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

from gan_jax import cli, runs
from gan_jax.train import train
from tests.tiny import tiny

TINY = str(Path(__file__).parent / "tiny_experiment.py")


def gan_jax(capsys, *arguments):
    """Runs the command; returns exit code, stdout and stderr with line breaks as blanks."""
    with pytest.raises(SystemExit) as exit_:
        cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return exit_.value.code, out, " ".join(err.replace("│", " ").split())


def size_of(path):
    """Width and height of a picture."""
    with Image.open(path) as picture:
        return picture.size


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of the tiny experiment with a moving average."""
    workdir = tmp_path_factory.mktemp("cli") / "run"
    with pytest.raises(SystemExit) as exit_:
        cli.main(["train", TINY, "--workdir", str(workdir), "--ema-decay", "0.5"])
    assert exit_.value.code == 0
    return workdir


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["--batch-siez", "3"], ["Perhaps you meant", "--batch-size INT"]),
        (["--generator.widht", "3"], ["--generator.width INT"]),
        (["--steps", "many"], ["--steps", "'many'", "(default: 12)", "gan-jax train --help"]),
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
    assert "is a file, no directory" in err


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
    from gan_jax import samples

    out = tmp_path / "x.npz"
    assert gan_jax(capsys, "sample", run, "--count", 5, "--out", out)[0] == 0
    with np.load(out) as saved:
        drawn, latents = saved["samples"], saved["latents"]
    opened = runs.load(run)
    again = samples.from_latents(opened.experiment, opened.state, latents)
    np.testing.assert_array_equal(drawn, again)


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
    from gan_jax import samples

    opened = runs.load(run)
    pixels = opened.experiment.data.load().sample[:2]
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image[..., 0]).save(path)
    code, out, _ = gan_jax(capsys, "score", run, *paths)
    assert code == 0
    raw = {"sample": pixels, "label": None}
    images = opened.experiment.data.prepare(raw)["sample"]
    expected = samples.probability_real(opened.experiment, opened.state, images)
    lines = [line.split() for line in out.splitlines()]
    assert [float(line[0]) for line in lines] == pytest.approx(expected, abs=6e-5)
    assert [line[1] for line in lines] == [str(path) for path in paths]


def test_score_names_a_file_that_is_no_image(capsys, run, tmp_path):
    (tmp_path / "x.png").write_text("no image")
    code, _, err = gan_jax(capsys, "score", run, tmp_path / "x.png")
    assert code == 2
    assert "x.png" in err


def test_help_needs_neither_jax_nor_matplotlib():
    script = (
        "import sys; from gan_jax.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'jax', 'flax', 'matplotlib', 'orbax', 'tensorflow_datasets'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
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
        "from tests.test_cli import Dense\n"
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mnist_sample", "--out", "x.pth"], "--out x.pth: must end in .npz"),
        (["mnist_sample", "--out", "no/such/x.npz"], "there is no folder no/such"),
        (["mnist_sample", "--out", "x.npz", "--epochs", "0"], "--epochs 0"),
        (["mnist_sample", "--out", "x.npz", "--seed", "-1"], "--seed -1"),
        (["mnist_sample", "--out", "x.npz", "--size", "7"], "7 x 7 pixels: must be at least 8 x 8"),
        (["mnist_sample", "--out", "x.npz", "--channels", "2"], "invalid choice '2'"),
        (["mnist_sample"], "--out"),
        (["photos", "--out", "x.npz"], "photos/train"),
        (["flat", "--out", "x.npz"], "no labels: in a folder, each class is a sub-folder"),
        (["./nowhere", "--out", "x.npz"], "there is no folder"),
        (["Phtos", "--out", "x.npz"], "'Phtos' is no data set: give mnist_sample, a folder"),
    ],
)
def test_features_of_wrong_data_are_refused(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for folder in ("photos/train", "photos/test", "flat"):
        (tmp_path / folder).mkdir(parents=True)
    Image.new("L", (8, 8)).save(tmp_path / "flat" / "1.png")
    code, _, err = gan_jax(capsys, "features", *arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert not list(tmp_path.rglob("*.npz"))


def test_features_are_trained_and_say_how_good_they_are(capsys, tmp_path, monkeypatch):
    from gan_jax.data import images
    from gan_jax.metrics import named_features

    monkeypatch.chdir(tmp_path)
    examples = images.mnist_sample("test", size=8).load()
    np.savez("digits.npz", images=examples.sample[:300], labels=examples.label[:300])
    arguments = ("digits.npz", "--out", "made.npz", "--size", 8, "--epochs", 1)
    code, out, err = gan_jax(capsys, "features", *arguments)
    assert code == 0, err
    made = named_features.from_text("made.npz").description
    assert (made.data, made.size, made.test_count, made.epochs) == ("digits.npz", 8, 30, 1)
    assert f"{made.test_accuracy:.2%} of 30 test images right" in out


def test_an_interrupted_training_of_features_leaves_nothing(capsys, tmp_path, monkeypatch):
    from gan_jax import classifier_training

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(classifier_training, "update", interrupted)
    out = tmp_path / "x.npz"
    code, _, err = gan_jax(capsys, "features", "mnist_sample", "--out", out, "--size", 11)
    assert code == cli.INTERRUPTED
    assert "nothing was written" in err
    assert list(tmp_path.iterdir()) == []


def test_health_says_how_a_run_goes(capsys, run):
    code, out, _ = gan_jax(capsys, "health", run)
    assert code == 0
    assert out.startswith("too little data to say: ")
    assert "log_every" in out


def test_health_without_a_run_exits_with_2_and_one_message(capsys, tmp_path):
    code, out, err = gan_jax(capsys, "health", tmp_path)
    assert code == 2
    assert out == ""
    assert err.startswith(f"error: no run in {tmp_path}")
    assert err.count("error") == 1


BLOCKS = "tests.tiny_features:blocks"


def test_evaluate_prints_a_table_and_says_what_it_leaves_out(capsys, run):
    from gan_jax.evaluation import lines

    code, out, err = gan_jax(capsys, "evaluate", run, "--features", BLOCKS, "--samples", 60)
    assert code == 0, err
    rows = lines.read(run / "evaluation.jsonl")
    names = [row["metric"] for row in rows if row["parameters"] == "ema"]
    table = [line.split()[:3] for line in out.splitlines() if line.split()[2:3] == ["60"]]
    assert table == [[name, of, "60"] for name in names for of in ("ema", "raw")]
    assert {"frechet_distance", "recall", "mode_count"} <= set(names)
    assert f"features {BLOCKS}" in out
    assert "left out: score_ratio, memorisation" in err


def test_evaluate_measures_two_sets_of_images(capsys, tmp_path):
    from gan_jax.data import images
    from gan_jax.evaluation import lines

    digits, out = tmp_path / "digits.npz", tmp_path / "scores.jsonl"
    np.savez(digits, images=images.mnist_sample("test", size=8).load().sample[:60])
    arguments = ("--data", digits, digits, "--size", 8, "--features", BLOCKS, "--out", out)
    code, printed, err = gan_jax(capsys, "evaluate", *arguments)
    assert code == 0, err
    assert f"60 images of {digits}" in printed
    assert {(row["first"], row["second"]) for row in lines.read(out)} == {(str(digits),) * 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give at least one run directory, or two sets of images with --data"),
        (["nowhere"], "no run in nowhere"),
        (["RUN", "--data", "a.npz", "b.npz"], "give run directories or --data, not both"),
        (["RUN"], "there is no feature network for these data"),
        (["RUN", "--features", "mnst"], "did you mean 'mnist'?"),
        (["RUN", "--features", "tests.tiny_features:blcks"], "tests.tiny_features:blcks cannot"),
        (["RUN", "--features", "nowhere.npz"], "cannot read 'nowhere.npz'"),
        (["RUN", "--features", BLOCKS, "--step", "7"], "there are 5, 10, 12"),
        (["RUN", "--features", BLOCKS, "--step", "best"], "no best checkpoint"),
        (["RUN", "--features", BLOCKS, "--step", "-1"], "--step"),
        (["RUN", "--step", "word"], "--step word: give a step, best or latest"),
        (["RUN", "--samples", "1"], "samples are at least 2"),
        (["RUN", "--key", "-1"], "the key from 0"),
        (["RUN", "--out", "x.jsonl"], "--out x.jsonl: is for the evaluation of --data"),
        (["RUN", "--size", "32"], "--size 32: is for the evaluation of --data"),
        (["--data", "a", "b", "--samples", "50"], "--samples 50: is for the evaluation of runs"),
        (["--data", "a", "b", "--out", "x.json"], "must end in .jsonl"),
        (["--data", "./nowhere", "mnist_sample", "--features", BLOCKS], "there is no folder"),
        (["--data", "./nowhere", "mnist_sample"], "there is no folder"),
        (["--data", "x.npz", "mnist_sample", "--out", "no/such/x.jsonl"], "no folder no/such"),
        (["--data", "mnist_sample"], "--data"),
    ],
)
def test_wrong_evaluations_are_refused(capsys, run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    before = sorted(run.rglob("*"))
    arguments = [run if argument == "RUN" else argument for argument in arguments]
    code, _, err = gan_jax(capsys, "evaluate", *arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    assert sorted(run.rglob("*")) == before


@pytest.fixture(scope="module")
def seeds_run(tmp_path_factory):
    """A directory of two seeds, trained together."""
    workdir = tmp_path_factory.mktemp("seeds") / "runs"
    train(tiny(), workdir, seeds=(0, 3))
    return workdir


def test_train_several_seeds(capsys, tmp_path):
    code, _, err = gan_jax(
        capsys, "train", TINY, "--seeds", "0:2", "--strategy", "map", "--workdir", tmp_path
    )
    assert code == 0
    for seed in (0, 1):
        assert f"finished: {tmp_path / f'seed_{seed}'}" in err
        assert runs.load(tmp_path / f"seed_{seed}").experiment.seed == seed


def test_a_seed_of_several_is_sampled_and_scored(capsys, seeds_run, tmp_path):
    out = tmp_path / "grid.png"
    assert gan_jax(capsys, "sample", seeds_run, "--seed", 3, "--out", out)[0] == 0
    code, printed, _ = gan_jax(capsys, "score", seeds_run, out, "--seed", 3)
    assert code == 0
    assert str(out) in printed


def test_all_seeds_are_evaluated_unless_one_is_chosen(capsys, seeds_run):
    arguments = ["evaluate", seeds_run, "--features", BLOCKS, "--samples", 60]
    code, printed, _ = gan_jax(capsys, *arguments)
    assert code == 0
    assert "mean over 2 seeds" in printed
    _, printed, _ = gan_jax(capsys, *arguments, "--seed", 3)
    assert "seed 3" in printed
    assert "mean over" not in printed


def test_health_tells_seeds_apart(capsys, seeds_run):
    code, printed, _ = gan_jax(capsys, "health", seeds_run)
    assert code == 0
    assert [line for line in printed.splitlines() if line.endswith(":")] == ["seed_0:", "seed_3:"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", "RUN"], "holds the seeds 0, 3: choose one with --seed"),
        (["sample", "RUN", "--seed", "1"], "--seed 1: RUN has seed 0, 3"),
        (["evaluate", "RUN", "--seed", "1", "--features", BLOCKS], "RUN has seed 0, 3"),
        (["train", TINY, "--seeds", "0:2:4"], "give 0:8 for the seeds 0 to 7"),
        (["train", TINY, "--seeds", "1,1"], "1 is there twice"),
        (["train", TINY, "--seeds", "0:2", "--seed", "5"], "--seed 5 and --seeds 0:2"),
        (["train", TINY, "--strategy", "map"], "--strategy map: is for --seeds"),
    ],
)
def test_seeds_that_are_not_there_are_refused(
    capsys, seeds_run, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    arguments = [seeds_run if argument == "RUN" else argument for argument in arguments]
    code, _, err = gan_jax(capsys, *arguments)
    assert code == 2
    assert message.replace("RUN", str(seeds_run)) in err
    assert list(tmp_path.iterdir()) == []


def test_compare_prints_a_table_and_writes_it(capsys, seeds_run, run, tmp_path):
    for each in (seeds_run, run):
        arguments = ["evaluate", each, "--features", BLOCKS, "--samples", 50]
        assert gan_jax(capsys, *arguments)[0] == 0
    out = tmp_path / "table.csv"
    code, printed, _ = gan_jax(capsys, "compare", seeds_run, run, "--out", out)
    assert code == 0
    assert f"frechet_distance  {seeds_run}" in printed
    heading, *lines = out.read_text().splitlines()
    assert heading.startswith("directory,seeds,diverged,metric")
    assert len(lines) == len(printed.splitlines()) - 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give at least one directory"),
        (["nowhere"], "no run in nowhere"),
        (["RUN", "--out", "x.txt"], "must end in .csv"),
        (["RUN", "--out", "no/x.csv"], "no folder no"),
    ],
)
def test_comparisons_that_make_no_sense_are_refused(
    capsys, seeds_run, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    arguments = [seeds_run if argument == "RUN" else argument for argument in arguments]
    code, _, err = gan_jax(capsys, "compare", *arguments)
    assert code == 2
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_warnings_are_printed_once_and_like_errors(capsys, run):
    _, _, err = gan_jax(capsys, "evaluate", run, "--features", BLOCKS, "--samples", 3)
    assert err.count("warning: Frechet distance of 3 samples with features of") == 1
    assert "WARNING" not in err
