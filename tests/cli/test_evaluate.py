"""`gan-jax evaluate`: what it prints, refuses and leaves as it was."""

import shutil

import numpy as np
import pytest

from gan_jax.evaluation.rows import read_rows
from gan_jax.sampling import samples
from tests.command_line import BLOCKS, gan_jax


def test_evaluate_prints_a_table_and_says_what_it_leaves_out(capsys, run):
    code, out, err = gan_jax(capsys, "evaluate", run, "--features", BLOCKS, "--samples", 60)
    assert code == 0, err
    rows = read_rows(run / "evaluation.jsonl")
    names = [row["metric"] for row in rows if row["parameters"] == "ema"]
    table = [line.split()[:3] for line in out.splitlines() if line.split()[2:3] == ["60"]]
    assert table == [[name, of, "60"] for name in names for of in ("ema", "raw")]
    assert {"frechet_distance", "recall", "mode_count"} <= set(names)
    assert f"features {BLOCKS}" in out
    assert "left out: score_ratio, memorisation" in err


def test_scores_that_cannot_be_recorded_are_printed(capsys, run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / "evaluation.jsonl").unlink(missing_ok=True)
    (copy / "evaluation.jsonl").mkdir()  # in the way
    arguments = ("evaluate", copy, "--features", BLOCKS, "--samples", 30)
    code, out, err = gan_jax(capsys, *arguments)
    assert code == 1
    assert "frechet_distance" in out
    assert f"error: not recorded in {copy / 'evaluation.jsonl'}: " in err
    assert "--out FILE.jsonl records in another place" in err
    code, out, err = gan_jax(capsys, *arguments, "--out", tmp_path / "scores.jsonl")
    assert code == 0, err
    assert {row["run"] for row in read_rows(tmp_path / "scores.jsonl")} == {str(copy)}


def test_all_seeds_are_evaluated_unless_one_is_chosen(capsys, seeds_run):
    arguments = ["evaluate", seeds_run, "--features", BLOCKS, "--samples", 60]
    code, printed, _ = gan_jax(capsys, *arguments)
    assert code == 0
    assert "mean over 2 seeds" in printed
    _, printed, _ = gan_jax(capsys, *arguments, "--seed", 3)
    assert "seed 3" in printed
    assert "mean over" not in printed


def test_evaluate_measures_two_sets_of_images(capsys, tmp_path):
    from gan_jax.data import images

    digits, out = tmp_path / "digits.npz", tmp_path / "scores.jsonl"
    np.savez(digits, images=images.mnist_sample("test", size=8).load().sample[:60])
    arguments = ("--data", digits, digits, "--features", BLOCKS, "--out", out)
    code, printed, err = gan_jax(capsys, "evaluate", *arguments)
    assert code == 0, err
    assert f"60 images of {digits}" in printed
    assert "images of 8 x 8 pixels, in grey" in printed
    assert {(row["first"], row["second"]) for row in read_rows(out)} == {(str(digits),) * 2}
    lines = len(read_rows(out))
    assert gan_jax(capsys, "evaluate", *arguments, "--channels", 3)[0] == 0
    assert len(read_rows(out)) == 2 * lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give `gan-jax evaluate RUN ...` or `gan-jax evaluate --data IMAGES REAL`"),
        (["--step", "5"], "give at least one run directory, or two sets of images with --data"),
        (["nowhere"], "no run in nowhere"),
        (["RUN", "--data", "a.npz", "b.npz"], "Unrecognized options: "),
        (["RUN"], "there is no feature network for these data"),
        (["RUN", "--features", "mnst"], "did you mean 'mnist'?"),
        (["RUN", "--features", "tests.tiny_features:blcks"], "tests.tiny_features:blcks cannot"),
        (["RUN", "--features", "nowhere.npz"], "cannot read 'nowhere.npz'"),
        (["RUN", "--features", BLOCKS, "--step", "7"], "there are 5, 10, 12"),
        (["RUN", "--features", BLOCKS, "--step", "best"], "no best checkpoint"),
        (["RUN", "--features", BLOCKS, "--step", "-1"], "--step"),
        (["RUN", "--step", "word"], "--step word: give a step, best or latest"),
        (["RUN", "--samples", "1"], "--samples 1: must be at least 2"),
        (["RUN", "--key", "-1"], "--key -1: must be from 0"),
        (["RUN", "--out", "x.json"], "--out x.json: must end in .jsonl"),
        (["RUN", "--size", "32"], "--size: is for `gan-jax evaluate --data IMAGES REAL`, not"),
        (
            ["--data", "a", "b", "--samples", "50"],
            "--samples: is for `gan-jax evaluate RUN ...`, not",
        ),
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


def test_a_seed_that_is_not_there_is_refused(capsys, seeds_run):
    arguments = ["evaluate", seeds_run, "--seed", "1", "--features", BLOCKS]
    code, _, err = gan_jax(capsys, *arguments)
    assert code == 2
    assert f"{seeds_run} has seed 0, 3" in err


def test_more_samples_than_memory_holds_latents_of_are_refused(capsys, run, monkeypatch):
    words = ("evaluate", run, "--features", BLOCKS, "--samples")
    code, out, err = gan_jax(capsys, *words, 10**11)
    assert (code, out) == (2, "")
    assert "error: samples = 100000000000: at most 2,147,483,647 samples can be drawn" in err
    monkeypatch.setattr(samples.devices, "memory_bytes", lambda: 1000)
    code, _, err = gan_jax(capsys, *words, 100)
    assert code == 2 and "samples = 100: drawing so many latents needs at least 1.56 KiB" in err
