"""What several commands share: checks of their options, and a clean end when they are stopped."""

import dataclasses
import functools
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gan_jax.cli.parsing import Command
from gan_jax.common.errors import RequestError
from gan_jax.common.exit_codes import FAILED, FINISHED, STOPPED
from gan_jax.common.files import followed
from gan_jax.common.validation import is_number

LARGEST_KEY = 2**32 - 1  # of `jax.random.key`


def restartable(run: Callable[[Any], int]) -> Callable[[Any], int]:
    """Ends a command that SIGTERM stops before the training loop can save with code STOPPED."""

    @functools.wraps(run)
    def stoppable(command: Any) -> int:
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))
        try:
            return run(command)
        finally:
            signal.signal(signal.SIGTERM, before)

    return stoppable


@dataclasses.dataclass(frozen=True, kw_only=True)
class OpensRuns(Command):
    """Options of the commands that open runs, which somebody else may have written.

    What such a run may name, and what a machine trusts, is in `gan_jax.runs.references` and
    `gan_jax.runs.trust`.
    """

    file: Path | None = None
    """Python file to run first, as it defines classes or functions of the run's experiment."""
    trust: bool = False
    """Run the code that the run names, and that is not part of gan_jax, now and in future. Only
    for code that you have read."""

    def admit(self, *paths: Path) -> None:
        """Does what --file and --trust ask for, before any of the directories is opened."""
        from gan_jax.runs import serialisation, trust

        if self.file:
            serialisation.load_file(self.file)
        for path in paths if self.trust else ():
            for line in trust.trust_directory(path):
                announce(line)


def announce(message: str) -> None:
    """Prints a message about progress; stdout is for results."""
    print(message, file=sys.stderr)


def checkpoint_step(text: str) -> int | str:
    """Reads --step: the step of a checkpoint, "best", or "latest".

    Raises:
        RequestError: it is none of them.
    """
    if is_number(text):
        return int(text)
    if text not in ("best", "latest"):
        raise RequestError(f"--step {text}: give a step, best or latest")
    return text


def check_out(out: Path, *endings: str) -> Path:
    """Checks that --out is a file with one of these endings, in a folder that exists.

    Returns:
        Where to write it: what a symbolic link leads to.

    Raises:
        RequestError: it is not, or it is a FIFO or a device.
    """
    path = followed(out)
    if path.suffix.lower() not in endings:
        raise RequestError(f"--out {out}: must end in {' or '.join(endings)}")
    if not path.parent.is_dir():
        raise RequestError(f"--out {out}: there is no folder {path.parent}")
    return path


def check_range(option: str, value: int, least: int, most: int | None = None) -> None:
    """Checks that least <= value <= most.

    Raises:
        RequestError: it is not; names the option, the value and the bounds.
    """
    if value < least or (most is not None and value > most):
        bounds = f"at least {least}" if most is None else f"from {least} to {most}"
        raise RequestError(f"{option} {value}: must be {bounds}")


def check_key(option: str, value: int) -> None:
    """Checks that a key or seed is one that JAX takes.

    Raises:
        RequestError: it is not.
    """
    check_range(option, value, 0, LARGEST_KEY)


def measure_groups(
    paths: Sequence[Path],
    seed: int | None,
    measure: Callable[[list[Path]], Any],
    show: Callable[[Any], None],
) -> int:
    """Measures runs, those of each configuration by themselves, and prints what was found.

    Args:
        paths: directories of runs, of several seeds, or of sweeps.
        seed: of runs with several seeds, which one; None for all.
        measure: of runs that differ only in their seed, returns an `Evaluation`.
        show: prints it.

    Returns:
        The exit code.

    Raises:
        RequestError: some of them could not be measured; the others have been, and are printed.
    """
    from gan_jax import runs
    from gan_jax.sweeps import plan

    failed, unrecorded = [], []
    groups = plan.evaluated_together(paths)
    for position, group in enumerate(groups, start=1):
        if len(groups) > 1:
            announce(f"{position} of {len(groups)}: {', '.join(map(str, group))}")
        try:
            chosen = [found for run in group for found in runs.all_seeds(run, seed)]
            evaluation = measure(chosen)
        except RequestError as error:
            failed.append(str(error))
        else:
            if group != list(paths):
                print(*group)
            show(evaluation)
            sys.stdout.flush()
            unrecorded += evaluation.unrecorded
    code = say_unrecorded(unrecorded)
    if failed:
        raise RequestError("\n".join(failed))
    return code


def say_unrecorded(unrecorded: Sequence[str]) -> int:
    """Says what was not recorded, below the tables that have it; returns the exit code."""
    sys.stdout.flush()
    for message in unrecorded:
        announce(f"error: {message}; --out FILE.jsonl records in another place")
    return FAILED if unrecorded else FINISHED
