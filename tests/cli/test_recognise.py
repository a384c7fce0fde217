"""`gan-jax recognise`: what it prints and refuses."""

import csv
import dataclasses
import functools

import pytest

from gan_jax.networks import conditions
from gan_jax.networks.classifier import Classifier
from gan_jax.recognition import of_runs
from gan_jax.training.train import train
from tests.command_line import gan_jax
from tests.tiny import tiny


def test_recognise_prints_two_tables_and_compare_a_third(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(of_runs, "Classifier", functools.partial(Classifier, 4, 8))
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
    table = tmp_path / "table.csv"
    code, out, err = gan_jax(capsys, "compare", tmp_path / "run", "--out", table)
    assert code == 0, err
    assert out.splitlines()[0].startswith("features of 2 classifiers, 3 steps each, 300 samples")
    rows = csv.DictReader(table.read_text().splitlines())
    assert {row["metric"] for row in rows} == {"gan_train", "gan_test"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give at least one run directory"),
        (["nowhere"], "no run in nowhere"),
        (["RUN"], "was trained without labels"),
        (["RUN", "--classifiers", "1"], "--classifiers 1: must be at least 2"),
        (["RUN", "--classifier-steps", "0"], "--classifier-steps 0: must be at least 1"),
        (["RUN", "--samples", "1"], "--samples 1: must be at least 2"),
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
