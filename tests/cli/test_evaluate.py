"""The commands that score: what they print, refuse and leave as it was."""

import numpy as np
import pytest
from PIL import Image

from gan_jax.cli import main
from tests.command_line import BLOCKS, gan_jax


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
        (["Phtos", "--out", "x.npz"], "'Phtos' is not a data set: give mnist_sample, a folder"),
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
    from gan_jax.features import named

    monkeypatch.chdir(tmp_path)
    examples = images.mnist_sample("test", size=8).load()
    np.savez("digits.npz", images=examples.sample[:300], labels=examples.label[:300])
    arguments = ("digits.npz", "--out", "made.npz", "--size", 8, "--epochs", 1)
    code, out, err = gan_jax(capsys, "features", *arguments)
    assert code == 0, err
    made = named.from_text("made.npz").description
    assert (made.data, made.size, made.test_count, made.epochs) == ("digits.npz", 8, 30, 1)
    assert f"{made.test_accuracy:.2%} of 30 test images right" in out


def test_an_interrupted_training_of_features_leaves_nothing(capsys, tmp_path, monkeypatch):
    from gan_jax.recognition import classifier_training

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(classifier_training, "update", interrupted)
    out = tmp_path / "x.npz"
    code, _, err = gan_jax(capsys, "features", "mnist_sample", "--out", out, "--size", 11)
    assert code == main.INTERRUPTED
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


def test_evaluate_prints_a_table_and_says_what_it_leaves_out(capsys, run):
    from gan_jax.evaluation.rows import read_rows

    code, out, err = gan_jax(capsys, "evaluate", run, "--features", BLOCKS, "--samples", 60)
    assert code == 0, err
    rows = read_rows(run / "evaluation.jsonl")
    names = [row["metric"] for row in rows if row["parameters"] == "ema"]
    table = [line.split()[:3] for line in out.splitlines() if line.split()[2:3] == ["60"]]
    assert table == [[name, of, "60"] for name in names for of in ("ema", "raw")]
    assert {"frechet_distance", "recall", "mode_count"} <= set(names)
    assert f"features {BLOCKS}" in out
    assert "left out: score_ratio, memorisation" in err


def test_evaluate_measures_two_sets_of_images(capsys, tmp_path):
    from gan_jax.data import images
    from gan_jax.evaluation.rows import read_rows

    digits, out = tmp_path / "digits.npz", tmp_path / "scores.jsonl"
    np.savez(digits, images=images.mnist_sample("test", size=8).load().sample[:60])
    arguments = ("--data", digits, digits, "--size", 8, "--features", BLOCKS, "--out", out)
    code, printed, err = gan_jax(capsys, "evaluate", *arguments)
    assert code == 0, err
    assert f"60 images of {digits}" in printed
    assert {(row["first"], row["second"]) for row in read_rows(out)} == {(str(digits),) * 2}


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
        (["--data", "RUN", "mnist_sample"], "is a run: gan-jax evaluate"),
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


def test_warnings_are_printed_once_and_like_errors(capsys, run):
    _, _, err = gan_jax(capsys, "evaluate", run, "--features", BLOCKS, "--samples", 3)
    assert err.count("warning: Frechet distance of 3 samples with features of") == 1
    assert "WARNING" not in err
