"""The `gan-jax` command: reads its arguments, runs a command, and turns errors into exit codes."""

import contextlib
import errno
import importlib
import logging
import os
import sys
from collections.abc import Iterator

from gan_jax.common.errors import RequestError
from gan_jax.common.exit_codes import FAILED, FINISHED, INTERRUPTED, WRONG_REQUEST
from gan_jax.common.validation import nearest
from gan_jax.runtime import thread_errors
from gan_jax.runtime.signals import leave_signals, raise_interrupts

# The file of this package that has the name of a command defines its FORMS, see `parsing.Command`.
# It is imported when the command is run: nothing here may make `gan-jax --help` slow.
COMMANDS = {
    "train": "train an experiment, or resume its run",
    "sweep": "train many configurations of an experiment, each with several seeds",
    "sample": "draw samples from a trained generator",
    "score": "print the discriminator's probability of being real for image files",
    "features": "train a feature network for the evaluation of your own data",
    "evaluate": "measure the samples of runs, or compare two sets of images",
    "compare": "compare configurations: each metric over seeds, and which differ from the best",
    "health": "say how the training of a run is going, and what may help",
}


def main(arguments: list[str] | None = None) -> None:
    """Runs one command and exits with its code; the arguments of the process if none are given."""
    is_process = arguments is None  # whose signals and threads are the command's own
    if is_process:
        thread_errors.keep_back()
    with _warnings_on_terminal():
        code = _run(sys.argv[1:] if is_process else arguments, is_process)
    if is_process:
        leave_signals()
    if is_process and code == INTERRUPTED:
        # Python forgets the code where the interrupt has passed through C code on its way.
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


@contextlib.contextmanager
def _warnings_on_terminal() -> Iterator[None]:
    """Prints the package's warnings in the form of its errors, and each of them only once."""
    seen: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return not (message in seen or seen.add(message))

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("warning: %(message)s"))
    handler.addFilter(is_new)
    logger = logging.getLogger("gan_jax")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


def _run(arguments: list[str], is_process: bool) -> int:
    try:
        name, *rest = arguments or [""]
        if name in ("-h", "--help"):
            print(_overview())
            return FINISHED
        if name not in COMMANDS:
            wrong = f"no command {name!r}{nearest(name, COMMANDS)}" if name else "no command given"
            raise RequestError(f"{wrong}\nthe commands are {', '.join(COMMANDS)}")
        from gan_jax.cli.parsing import parse

        forms = importlib.import_module(f"gan_jax.cli.{name}").FORMS
        command = parse(name, forms, rest)
        if is_process:
            importlib.import_module("gan_jax.runs")  # JAX: an interrupt in its midst would be lost
            raise_interrupts()
        return command.run()
    except RequestError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_REQUEST
    except OSError as error:
        full = os.strerror(errno.ENOSPC) in str(error)
        hint = "; free some space and run the same command again" if full else ""
        print(f"error: {error}{hint}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("interrupted; a run that has saved a checkpoint resumes from it", file=sys.stderr)
        return INTERRUPTED


def _overview() -> str:
    lines = (f"  {name:<9} {summary}" for name, summary in COMMANDS.items())
    return "\n".join(
        (
            "usage: gan-jax COMMAND ...",
            "",
            "Train generative adversarial networks, and use what was trained.",
            "",
            *lines,
            "",
            "`gan-jax COMMAND --help` lists the options of a command.",
        )
    )
