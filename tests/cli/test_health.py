"""`gan-jax health`: what it says of runs."""

import os
import shutil

import pytest

from tests.command_line import TINY, gan_jax


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


def test_health_tells_seeds_apart(capsys, seeds_run):
    code, printed, _ = gan_jax(capsys, "health", seeds_run)
    assert code == 0
    assert [line for line in printed.splitlines() if line.endswith(":")] == ["seed_0:", "seed_3:"]


@pytest.mark.parametrize(
    ("command", "name"),
    [
        *((command, "config.json") for command in ("health", "sample", "compare", "evaluate")),
        *((command, "sweep.json") for command in ("compare", "evaluate")),
    ],
)
@pytest.mark.usefixtures("in_time")
def test_a_fifo_in_the_run_of_a_stranger_is_named(capsys, tmp_path, command, name):
    os.mkfifo(tmp_path / name)
    code, out, err = gan_jax(capsys, command, tmp_path)
    assert (code, out) == (2, "")
    assert f"error: {tmp_path / name} is a FIFO, not a regular file" in err


@pytest.mark.usefixtures("in_time")
def test_fifos_for_metrics_and_logs_are_named(capsys, run, tmp_path):
    for name in ("metrics.jsonl", "evaluation.jsonl", "log.txt"):
        copy = tmp_path / name
        shutil.copytree(run, copy)
        (copy / name).unlink(missing_ok=True)
        os.mkfifo(copy / name)
        words = ("train", TINY, "--workdir", copy, "--ema-decay", 0.5, "--steps", 13)
        code, _, err = gan_jax(capsys, *words)
        assert code == 2 and f"{copy / name} is a FIFO, not a regular file" in err
    code, _, err = gan_jax(capsys, "health", tmp_path / "metrics.jsonl")
    assert code == 2 and "metrics.jsonl is a FIFO" in err
