"""Where the file of an experiment is after its project has moved."""

from pathlib import Path

LEVELS = 4  # folders above a run, and folders of the file's old path, that are looked at


def find_file(recorded: str | None, run: Path) -> str | None:
    """Returns where the file of an experiment is: where it was, or beside the run.

    A project that has moved has its runs and files in the same places to each other: if there was
    /old/experiments/a.py, and the run is now /new/runs/a, then /new/experiments/a.py is found.
    Whether its code is run is for `gan_jax.runs.trust` to say, which trusts a file at its place.

    Args:
        recorded: absolute path that the record has; None if it has none.
        run: directory that holds the record.

    Returns:
        The path of a file that is there, or `recorded`.
    """
    if recorded is None or Path(recorded).is_file():
        return recorded
    parts = Path(recorded).parts[-LEVELS:]
    above = run.absolute().parents[:LEVELS]
    for start in range(len(parts)):  # the longest part of the old path first
        for folder in above:
            if (found := folder.joinpath(*parts[start:])).is_file():
                return str(found.resolve())
    return recorded
