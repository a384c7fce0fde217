"""Several seeds, and several settings, on the command line."""

import dataclasses
import typing

import pytest

from gan_jax import runs
from gan_jax.cli import commands
from gan_jax.runtime import devices
from gan_jax.training import parallel_seeds
from gan_jax.training.train import train
from tests.command_line import BLOCKS, TINY, gan_jax
from tests.tiny import tiny


@pytest.fixture(scope="module")
def seeds_run(tmp_path_factory):
    """A directory of two seeds, trained together."""
    workdir = tmp_path_factory.mktemp("seeds") / "runs"
    train(tiny(), workdir, seeds=(0, 3))
    return workdir


def test_the_strategies_are_those_that_there_are():
    (asked,) = (f for f in dataclasses.fields(commands.Train) if f.name == "strategy")
    assert typing.get_args(asked.type) == typing.get_args(parallel_seeds.Strategy)


def test_train_several_seeds(capsys, tmp_path):
    code, _, err = gan_jax(
        capsys, "train", TINY, "--seeds", "0:2", "--strategy", "map", "--workdir", tmp_path
    )
    assert code == 0
    for seed in (0, 1):
        assert f"finished: {tmp_path / f'seed_{seed}'}" in err
        assert runs.load(tmp_path / f"seed_{seed}").experiment.seed == seed
    assert f"pictures: {tmp_path}/seed_*/samples/final.png, film_strip.png" in err


@pytest.mark.parametrize(
    "arguments",
    [("train", TINY, "--seeds", "0:2", "--workdir", TINY), ("sweep", TINY, "--dry-run")],
)
def test_several_seeds_share_one_heap(capsys, monkeypatch, arguments):
    called = []
    monkeypatch.setattr(devices, "use_one_heap", lambda: called.append(True))
    gan_jax(capsys, *arguments)
    assert called


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
        (["train", TINY, "--seeds", "1,1"], "1 is given twice"),
        (
            ["train", TINY, "--seeds", "0:2", "--seed", "5"],
            "--seed and --seeds: give one of the two",
        ),
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
    assert heading.startswith("directory,seeds,diverged,seconds,features,")
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
