"""`gan-jax sweep` on the command line."""

import csv
import io
import os
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from rich.console import Console

from gan_jax import runs
from gan_jax.cli import sweep as command
from gan_jax.runtime import devices
from gan_jax.sweeps import overview, plan, train
from gan_jax.sweeps.plan import SweepDirectory
from gan_jax.training import parallel_seeds
from tests.command_line import TINY, gan_jax
from tests.tiny import tiny

FILE = Path(__file__).parents[1] / "sweep_experiment.py"
FILE_OF_CONFIGURATIONS = FILE.with_name("sweep_configurations.py")
GRID = ("--grid", "generator_optimizer.learning_rate=1e-3,1e-2")


@pytest.mark.slow
def test_a_grid_is_trained_compared_and_said_to_be_finished(capsys, tmp_path):
    workdir = tmp_path / "sweep"
    arguments = ["sweep", FILE, "--workdir", workdir, "--seeds", "0:2", "--batch-size", 8, *GRID]
    code, printed, err = gan_jax(capsys, *arguments)
    assert code == 0
    assert f"gan-jax compare {workdir}" in err
    whole = plan.read(SweepDirectory(workdir))
    assert {each.batch_size for each in whole.configurations.values()} == {8}
    assert printed.count("8 of 8") == 2
    assert gan_jax(capsys, "sweep", workdir, "--status")[1] == printed
    code, _, err = gan_jax(capsys, *arguments)
    assert code == 0
    assert "training" not in err
    out = tmp_path / "table.csv"
    code, printed, _ = gan_jax(capsys, "compare", workdir, "--out", out)
    assert code == 0
    assert all(str(workdir / name) in printed for name in whole.configurations)
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert {Path(row["directory"]).name for row in rows} == set(whole.configurations)
    assert all(float(row["seconds"]) > 0 for row in rows)


def test_a_file_of_configurations_is_trained(capsys, tmp_path):
    workdir = tmp_path / "sweep"
    code, _, err = gan_jax(
        capsys, "sweep", FILE_OF_CONFIGURATIONS, "--workdir", workdir, "--seeds", "3"
    )
    assert code == 0
    assert "gan-jax compare" not in err  # nothing was evaluated
    code, _, err = gan_jax(capsys, "health", workdir)
    assert code == 2
    assert f"{workdir} holds a sweep: give the run of one configuration" in err
    assert runs.load(workdir / "latent_5" / "seed_3").experiment.latent_size == 5


def test_a_dry_run_says_what_trains_together_and_makes_nothing(capsys, tmp_path):
    workdir = tmp_path / "sweep"
    arguments = ["--draw", "ema_decay=0.1:0.9", "--draws", 2, "--dry-run", "--workdir", workdir]
    code, printed, _ = gan_jax(capsys, "sweep", FILE, *GRID, *arguments)
    assert code == 0
    first, *rest = printed.splitlines()
    assert first == "program 1:"
    assert len(rest) == 4
    assert all("seeds 0, 1, 2, 3, 4 steps" in line for line in rest)
    assert not workdir.exists()


def test_what_failed_is_in_a_dry_run_if_it_is_to_be_tried_again(capsys, tmp_path):
    workdir = tmp_path / "sweep"
    directory = SweepDirectory(workdir)
    arguments = ["sweep", FILE, "--workdir", workdir, "--dry-run", *GRID]
    _, whole, _ = gan_jax(capsys, *arguments)
    configurations = dict.fromkeys(["generator_optimizer.learning_rate=0.001"], tiny())
    train.note_failures(directory, plan.Sweep(configurations, (0,), None), ValueError("no luck"))
    assert gan_jax(capsys, *arguments)[1].count("learning_rate") == 1
    assert gan_jax(capsys, *arguments, "--retry-failed")[1] == whole


def test_runs_of_a_sweep_share_one_heap(capsys, monkeypatch):
    called = []
    monkeypatch.setattr(devices, "use_one_heap", lambda: called.append(True))
    gan_jax(capsys, "sweep", TINY, "--dry-run")
    assert called


@pytest.mark.parametrize("form", [command.NewSweep, command.Search, command.ResumedSweep])
def test_the_strategies_are_those_that_there_are(form):
    hints = typing.get_type_hints(form)
    assert typing.get_args(hints["strategy"]) == typing.get_args(parallel_seeds.Strategy)


@pytest.mark.parametrize("arguments", [GRID, ("--search", 1, *GRID)])
@pytest.mark.parametrize("accepted", [True, False])
def test_changes_are_accepted_if_asked_for(capsys, tmp_path, monkeypatch, arguments, accepted):
    seen = []

    def train_sweep(*given):
        seen.append(given[-1])
        return train.Result(True, (), False)

    monkeypatch.setattr(train, "train_sweep", train_sweep)
    more = ["--accept-changes"] * accepted
    code, _, err = gan_jax(capsys, "sweep", FILE, "--workdir", tmp_path / "s", *arguments, *more)
    assert code == 75, err
    assert seen == [accepted]


def test_what_fails_gives_exit_code_1_and_is_tried_again_when_asked(capsys, tmp_path):
    workdir = tmp_path / "sweep"
    file = tmp_path / "needs_images.py"
    file.write_text(
        "from gan_jax.data import images\nfrom tests.tiny import tiny\n"
        "def experiments(): yield 'one', tiny(steps=2, data=images.arrays('no.npz', 8, 1))\n"
    )
    code, printed, err = gan_jax(capsys, "sweep", file, "--workdir", workdir, "--seeds", "0")
    assert code == 1
    assert "failed: one" in err
    assert "RequestError" in printed
    code, _, err = gan_jax(capsys, "sweep", workdir)
    assert code == 1
    assert "one failed before and is skipped" in err
    _, _, err = gan_jax(capsys, "sweep", workdir, "--retry-failed")
    assert "failed: one" in err
    assert "diverged" not in err


@pytest.mark.slow
def test_seeds_that_have_diverged_are_a_result_and_not_tried_again(capsys, tmp_path):
    workdir = tmp_path / "sweep"
    arguments = ("--seeds", "0:2", "--grid", "generator_optimizer.learning_rate=1e-3,1e30")
    code, printed, _ = gan_jax(capsys, "sweep", FILE, "--workdir", workdir, *arguments)
    assert code == 0
    code, again, err = gan_jax(capsys, "sweep", workdir, "--retry-failed")
    assert code == 0
    assert again == printed
    assert "2 of 4 runs have diverged and are not trained again" in err


@pytest.mark.parametrize("width", [40, 100])
def test_the_status_of_a_sweep_is_not_cut_on_a_narrow_terminal(
    capsys, tmp_path, monkeypatch, width
):
    monkeypatch.setattr(overview, "make_console", lambda: (Console(width=width), False))
    directory = SweepDirectory(tmp_path / "sweep")
    names = ["learning_rate=0.001", "loss=[red]"]
    whole = plan.Sweep(dict.fromkeys(names, tiny(steps=123456)), tuple(range(10)), None)
    plan.prepare(directory, whole)
    reason = f"there is no [red]file[/red] named {'x' * 120}"
    train.note_failures(directory, plan.only(whole, names[:1]), ValueError(reason))
    code, printed, _ = gan_jax(capsys, "sweep", directory.path, "--status")
    assert code == 0
    heading, *lines = printed.splitlines()
    assert all(name in printed for name in names)
    assert printed.count("0 of 1234560") == 2
    column = heading.index("failed")
    found = "".join(line[column:] for line in lines).replace(" ", "")
    assert found == f"ValueError: {reason}".replace(" ", "")
    assert max(map(len, printed.splitlines())) <= max(width, column + 20 + 2)


@pytest.mark.slow
def test_each_configuration_of_a_sweep_is_evaluated(capsys, tmp_path):
    workdir = tmp_path / "sweep"
    assert gan_jax(capsys, "sweep", FILE, "--workdir", workdir, "--seeds", "0:2", *GRID)[0] == 0
    names = plan.read(SweepDirectory(workdir)).configurations
    code, printed, _ = gan_jax(capsys, "evaluate", workdir, "--samples", 50)
    assert code == 0
    for name in names:
        assert f"{workdir / name}\n" in printed
        for seed in (0, 1):
            assert (workdir / name / f"seed_{seed}" / "evaluation.jsonl").exists()


def test_a_search(capsys, tmp_path):
    workdir = tmp_path / "sweep"
    arguments = ["--search", 1, "--draw", "ema_decay=0.1:0.9", "--seeds", "0"]
    code, _, err = gan_jax(capsys, "sweep", FILE, "--workdir", workdir, *arguments)
    assert code == 0
    assert "best frechet_distance" in err
    (name,) = plan.read(SweepDirectory(workdir)).configurations
    assert name.startswith("ema_decay=0.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([FILE, "--grid", "widht=1,2"], "no field 'widht'"),
        ([FILE, "--grid", "batch_size=a,b"], "Experiment.batch_size = 'a'"),
        ([FILE, "--grid", "latent_size=10**400", "--dry-run"], "must be below 2^31"),
        ([FILE, "--grid", "batch_size=4,4"], "two configurations are named batch_size=4"),
        ([FILE, "--seeds", "0:2,1", *GRID], "1 is given twice"),
        ([FILE, "--draw", "ema_decay=0.1"], "give FIELD=LOW:HIGH"),
        ([FILE, "--draw", "ema_decay=0:0.5", "--draws", "0"], "--draws 0: must be from 1 to 10000"),
        ([FILE, "--draws", "3"], "--draws: needs --draw"),
        ([FILE, "--jobs", "3"], "--jobs: needs --launcher local"),
        ([FILE, "--slurm", "a=1"], "--slurm: needs --launcher slurm"),
        ([FILE, "--launcher=local", "--slurm", "a=1"], "--slurm: needs --launcher slurm"),
        ([FILE, "--key", "1"], "--key: needs --draw"),
        ([FILE, "--seed", "1"], "--seed: give all seeds at once, --seeds 0:4 for example"),
        ([FILE, "--launcher", "slurm", "--slurm", "a"], "give NAME=VALUE"),
        ([FILE, "--launcher", "local", "--jobs", "9999"], "--jobs 9999: there are"),
        (
            [FILE, "--grid", "generator.width=2,100000000"],
            "error: configuration generator.width=100000000: generator = Generator(width=1000",
        ),
        ([FILE, "--search", "3"], "say in --grid and --draw what to search"),
        ([FILE, "--search", "0", *GRID], "--search 0: must be at least 1"),
        (
            [FILE, "--search", "1", "--dry-run", *GRID],
            "--dry-run: is for `gan-jax sweep EXPERIMENT.py`, not for `gan-jax sweep EXPERIMENT.py "
            "--search N`",
        ),
        ([FILE, "--serach", "1", *GRID], "did you mean --search, of `gan-jax sweep EXPERIMENT.py"),
        ([FILE, "--status"], "--status: is for `gan-jax sweep DIR --status`, not for"),
        (["nowhere", "--status", "--retry-failed"], "not for `gan-jax sweep DIR --status`"),
        (["nowhere", "--dry-run"], "--dry-run: is for `gan-jax sweep EXPERIMENT.py`, not for"),
        (["nowhere", "--statsu"], "did you mean --status, of `gan-jax sweep DIR --status`?"),
        ([], "give `gan-jax sweep EXPERIMENT.py` or "),
        ([FILE_OF_CONFIGURATIONS, *GRID], "which --grid and --draw do not change"),
        ([FILE_OF_CONFIGURATIONS, "--search", "3"], "defines no `experiment`"),
        (["nowhere"], "no sweep in nowhere"),
        (["nowhere", *GRID], "--grid: is for `gan-jax sweep EXPERIMENT.py` and"),
        (["nowhere.py"], "no experiment file 'nowhere.py'"),
    ],
)
def test_wrong_requests_are_refused_and_change_nothing(
    capsys, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    code, _, err = gan_jax(capsys, "sweep", *arguments)
    assert code == 2
    assert message in err
    assert err.count("error: ") <= 1
    assert list(tmp_path.iterdir()) == []


MESHES = """
import os, sys
from gan_jax.cli import main
from gan_jax.training import train
from gan_jax.training.parallel_seeds import make_plan
def said(strategy, count, batch_size):
    plan = make_plan(strategy, count, batch_size)
    print("mesh", dict(plan.mesh.shape), "deterministic" in os.environ["XLA_FLAGS"])
    return plan
train.make_plan = said
main.main(sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.skipif(devices.cores() < 2, reason="needs two cores")
@pytest.mark.parametrize(
    ("arguments", "mesh"),
    [
        (["--seeds", "0"], {"seed": 1, "data": 1}),
        (["--seeds", "0:2"], {"seed": 2, "data": 1}),
        (["--seeds", "0:2", "--strategy", "map"], {"seed": 1, "data": 1}),
    ],
)
def test_no_batch_is_split_over_the_cores_of_a_cpu(tmp_path, arguments, mesh):
    command = [
        sys.executable,
        "-c",
        MESHES,
        "sweep",
        FILE_OF_CONFIGURATIONS,
        "--workdir",
        tmp_path / "s",
    ]
    environment = os.environ | {"PYTHONPATH": str(FILE.parents[2]), "XLA_FLAGS": ""}
    done = subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == [f"mesh {mesh} True"] * 2
