"""The `gan-jax` command as tests call it, in this process."""

from pathlib import Path

import pytest

from gan_jax.cli import main

TINY = str(Path(__file__).parent / "tiny_experiment.py")
BLOCKS = "tests.tiny_features:blocks"


def gan_jax(capsys, *arguments):
    """Runs the command; returns exit code, stdout and stderr with line breaks as blanks."""
    with pytest.raises(SystemExit) as exit_:
        main.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return exit_.value.code, out, " ".join(err.replace("│", " ").split())
