"""`gan-jax recognise`: what it prints and refuses."""

import csv
import dataclasses
import functools
import shutil

import pytest

from gan_jax.networks import conditions
from gan_jax.networks.classifier import Classifier
from gan_jax.recognition import task
from gan_jax.training.train import train
from tests.command_line import BLOCKS, gan_jax
from tests.tiny import tiny


@pytest.mark.slow
def test_recognise_prints_two_tables_and_compare_a_third(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(task, "Classifier", functools.partial(Classifier, 4, 8))
    base = tiny(steps=1)
    experiment = dataclasses.replace(
        base,
        data=dataclasses.replace(
            base.data, source=dataclasses.replace(base.data.source, split="train"), labels=True
        ),
        generator=conditions.Generator(base.generator, classes=10),
        discriminator=conditions.Discriminator(base.discriminator, classes=10),
    )
    train(experiment, tmp_path / "run", seeds=(0, 1))
    options = ("--samples", 300, "--classifiers", 2, "--classifier-steps", 3)
    code, out, err = gan_jax(capsys, "recognise", tmp_path / "run", *options)
    assert code == 0, err
    lines = [line.split() for line in out.splitlines()]
    assert [line[:3] for line in lines if line[0].startswith("gan_")] == [
        ["gan_train", "raw", "300"],
        ["gan_train", "real", "300"],
        ["gan_test", "raw", "300"],
    ]
    (heading,) = (number for number, line in enumerate(lines) if line[0] == "class")
    assert [line[0] for line in lines[heading + 1 :]] == list("0123456789")
    few = ("recognise", tmp_path / "run", "--per-class", "5,2", *options)
    code, out, err = gan_jax(capsys, *few)
    assert code == 0, err
    assert "generators have seen 10,000 real examples, more than the classifiers of 2, 5" in out
    assert [line.split()[0] for line in out.splitlines()[-3:]] == ["of", "2", "5"]
    how = ("--balance", "--classifiers", 2, "--classifier-steps", 3)
    code, out, err = gan_jax(capsys, "recognise", tmp_path / "run", *how)
    assert code == 0, err
    assert "10,000 real examples, of a class up to" in out
    of_all, *of_classes = [line.split()[:2] for line in out.splitlines()[-11:]]
    assert of_all == ["all", "10,000"]
    counts = [int(number.replace(",", "")) for _, number in of_classes]
    assert counts == sorted(counts) and sum(counts) == 10_000
    table = tmp_path / "table.csv"
    code, out, err = gan_jax(capsys, "compare", tmp_path / "run", "--out", table)
    assert code == 0, err
    assert out.splitlines()[0].startswith("features 2 classifiers of 3 steps, sha256 ")
    rows = csv.DictReader(table.read_text().splitlines())
    assert {row["metric"] for row in rows} == {"gan_train", "gan_test"}


def test_what_cannot_be_compared_takes_nothing_from_what_can(
    capsys, seeds_run, tmp_path, monkeypatch
):
    """One seed was measured by recognise, and both by evaluate."""
    path = shutil.copytree(seeds_run, tmp_path / "run")
    options = ("--features", BLOCKS, "--samples", 50)
    assert gan_jax(capsys, "evaluate", path, *options)[0] == 0
    (path / "seed_0" / "recognition.jsonl").write_text(
        '{"metric": "gan_train", "value": 0.5, "low": 0.4, "high": 0.6, "step": 12, "seed": 0, '
        '"features": "x", "features_sha256": "y", "drawn": 5, "key": 0, "parameters": "raw"}\n'
    )
    code, out, err = gan_jax(capsys, "compare", path)
    assert code == 0, err
    assert "recall" in out and "gan_train" not in out
    assert "warning: left out: not all seeds have been measured by recognise" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give at least one run directory"),
        (["nowhere"], "no run in nowhere"),
        (["RUN"], "was trained without labels"),
        (["RUN", "--classifiers", "1"], "--classifiers 1: must be at least 2"),
        (["RUN", "--classifier-steps", "0"], "--classifier-steps 0: must be at least 1"),
        (["RUN", "--samples", "1"], "--samples 1: must be at least 2"),
        (["RUN", "--per-class", "5,0"], "--per-class 5,0: give numbers above 0, as in"),
        (["RUN", "--per-class", "few"], "--per-class few: give numbers above 0, as in"),
        (["RUN", "--balance", "--per-class", "5"], "--balance and --per-class: give one of them"),
        (["RUN", "--balance", "--samples", "50"], "--balance and --samples: give one of them"),
        (["RUN", "--step", "first"], "give a step, best or latest"),
        (["RUN", "--out", "x.csv"], "must end in .jsonl"),
    ],
)
def test_wrong_requests_are_refused(capsys, run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    arguments = [run if argument == "RUN" else argument for argument in arguments]
    code, _, err = gan_jax(capsys, "recognise", *arguments)
    assert code == 2
    assert message in err
    assert list(tmp_path.iterdir()) == []
