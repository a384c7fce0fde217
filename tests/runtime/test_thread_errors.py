"""One line of what background threads say of a file that failed."""

import os
import shutil
import subprocess
import sys
import textwrap

import pytest

from gan_jax.runs import checkpoints
from tests.command_line import TINY


@pytest.mark.parametrize("command", ["train", "sample"])
def test_damaged_checkpoints_are_reported_in_a_line_each(run, tmp_path, command):
    damaged = tmp_path / "run"
    shutil.copytree(run, damaged)
    for file in damaged.rglob("d/*"):
        if file.is_file():
            os.truncate(file, 50)
    of = {"train": ["--workdir", str(damaged), "--ema-decay", "0.5"], "sample": []}[command]
    what = [TINY if command == "train" else str(damaged), *of]
    done = subprocess.run(
        [sys.executable, "-m", "gan_jax", command, *what], capture_output=True, text=True
    )
    assert done.returncode == 2
    *warnings, error = done.stderr.splitlines()
    assert error.startswith("error: no intact checkpoint")
    assert all(line.startswith("warning: checkpoint damaged") for line in warnings)
    assert len(warnings) <= len(checkpoints.steps(damaged / "checkpoints"))


def test_only_the_first_failure_of_the_libraries_is_reported():
    script = """
        import threading
        from gan_jax.runtime import thread_errors

        library = {"__name__": "orbax.part"}
        exec("def fails(path): open(path)", library)

        class Ends:
            def __init__(self, error):
                self.error = error

            def __del__(self):
                raise self.error

        thread_errors.keep_back()
        for function, path in (
            (library["fails"], "missing_0"), (library["fails"], "missing_1"), (open, "missing_2")
        ):
            thread = threading.Thread(target=function, args=[path])
            thread.start()
            thread.join()
        Ends(RuntimeError("Event loop is closed"))
        Ends(ValueError("of another kind"))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True
    )
    assert done.returncode == 0
    first, *others = done.stderr.splitlines()
    assert first.startswith("warning: a background thread failed: FileNotFoundError")
    assert "missing_0" in first
    assert "of another kind" in others[-1]
    assert "missing_2" in done.stderr
    assert not any(word in done.stderr for word in ("missing_1", "loop is closed"))
