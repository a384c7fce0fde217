"""The `gan-jax` command as a whole: its help, what it imports, and its messages."""

import dataclasses
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gan_jax import runs
from gan_jax.cli import main
from gan_jax.evaluation import of_runs
from gan_jax.features import named
from tests.command_line import BLOCKS, TINY, gan_jax


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "required"),
        (["train", "experiments/nothing_here.py"], "no experiment file"),
        (["train", "README.md"], "an experiment is a Python file"),
        ([], "no command given the commands are train, sweep, "),
        (["trian", TINY], "no command 'trian'; did you mean 'train'?"),
        (["sample", "nowhere"], "no run in nowhere"),
        (["score", "nowhere", "x.png"], "no run in nowhere"),
        (["score", "nowhere"], "at least one file"),
    ],
)
def test_wrong_words_exit_with_2(capsys, arguments, message):
    code, _, err = gan_jax(capsys, *arguments)
    assert code == 2
    assert message in err


def test_every_file_of_a_command_is_in_the_table_and_the_overview(capsys):
    code, out, _ = gan_jax(capsys, "--help")
    assert code == 0
    listed = [line.split()[0] for line in out.splitlines() if line.startswith("  ")]
    assert listed == list(main.COMMANDS)
    files = {path.stem for path in Path(main.__file__).parent.glob("*.py")}
    assert files - {"__init__", "main", "parsing", "shared"} == set(main.COMMANDS)


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in main.COMMANDS)])
def test_help_needs_neither_jax_nor_matplotlib(arguments):
    script = (
        "import sys; from gan_jax.cli.main import main\n"
        f"try: main({arguments})\n"
        "except SystemExit as ended: assert ended.code == 0, ended.code\n"
        "heavy = {'jax', 'flax', 'matplotlib', 'orbax', 'tensorflow_datasets'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, capture_output=True)


def test_the_overview_needs_no_parser():
    script = (
        "import sys; from gan_jax.cli import main\n"
        "heavy = {'jax', 'numpy', 'tyro', 'rich', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)


@pytest.mark.parametrize("name", main.COMMANDS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_each_command_has_a_page_of_help_with_all_its_forms(capsys, name, flag):
    code, out, err = gan_jax(capsys, name, flag)
    assert (code, err) == (0, "")
    for form in importlib.import_module(f"gan_jax.cli.{name}").FORMS:
        assert form.__doc__.partition("\n")[0] in out
        for field in dataclasses.fields(form):
            if field.name not in ("experiment", "file", "directory", "directories", "images"):
                assert f"--{field.name.replace('_', '-')}" in out or field.name in ("runs", "data")


def in_ascii_and_unread(*arguments):
    """Runs the command as a process with that code page, whose stdout nobody reads to its end.

    Returns its exit code, and what it wrote to stderr.
    """
    command = [sys.executable, "-m", "gan_jax", *map(str, arguments)]
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": root, "PYTHONIOENCODING": "ascii"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        process.stdout.close()
        err = process.stderr.read()
    return process.returncode, err


def test_messages_are_printed_in_any_code_page():
    code, err = in_ascii_and_unread("trän")
    assert code == 2
    assert err.startswith(b"error: no command 'tr\\xe4n'; did you mean 'train'?\n")


def test_help_that_nobody_reads_to_its_end_is_no_error():
    assert in_ascii_and_unread("train", "--help") == (0, b"")


@pytest.fixture(scope="module")
def evaluated(seeds_run):
    """Two seeds with scores."""
    of_runs.evaluate_runs(runs.all_seeds(seeds_run), 30, network=named.from_text(BLOCKS))
    return seeds_run


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("train", TINY, "--dry-run"),
        ("sample", "RUN", "--out", "HERE/日.png"),
        ("sample", "RUN", "--out", "HERE/日", "--count", "2000"),
        ("score", "RUN", "HERE/ü.png"),
        ("evaluate", "RUN", "--features", BLOCKS, "--samples", "40"),
        ("compare", "EVALUATED"),
        ("health", "RUN"),
        ("sweep", TINY, "--grid", "steps=1,2", "--dry-run"),
        ("features", "mnist_sample", "--epochs", "1", "--out", "HERE/ü.npz"),
        *((name, "--help") for name in main.COMMANDS),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_no_command_minds_the_code_page_or_who_reads_it(arguments, run, evaluated, tmp_path):
    shutil.copy(run / "samples" / "final.png", tmp_path / "ü.png")
    places = {"RUN": run, "EVALUATED": evaluated, "HERE": tmp_path}
    for name, place in places.items():
        arguments = [word.replace(name, str(place)) for word in arguments]
    code, err = in_ascii_and_unread(*arguments)
    assert code == 0, err
    assert b"Traceback" not in err and b"Broken pipe" not in err


def test_warnings_are_printed_once_and_like_errors(capsys, run):
    _, _, err = gan_jax(capsys, "evaluate", run, "--features", BLOCKS, "--samples", 3)
    assert err.count("warning: Frechet distance of 3 samples with features of") == 1
    assert "WARNING" not in err
