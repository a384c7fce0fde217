"""The version of the package's source."""

import subprocess
from pathlib import Path


def git_commit() -> str | None:
    """Returns the git commit of the source, with '-dirty' if changed; None outside git."""
    command = [
        "git",
        "-C",
        str(Path(__file__).parent),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
    ]
    try:
        described = subprocess.run(command, capture_output=True, check=True).stdout
        return described.decode(errors="replace").strip()
    except (OSError, subprocess.CalledProcessError):
        return None
