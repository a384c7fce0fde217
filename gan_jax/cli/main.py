"""The `gan-jax` command: reads its arguments, runs a command, and turns errors into exit codes."""

import contextlib
import errno
import importlib
import os
import sys

from gan_jax.common.errors import RequestError
from gan_jax.common.exit_codes import FAILED, FINISHED, INTERRUPTED, WRONG_REQUEST
from gan_jax.common.validation import nearest
from gan_jax.runtime import jax_settings, terminal, thread_errors
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
    "recognise": "say what the samples of a run are worth to classifiers",
    "compare": "compare configurations: each metric over seeds, and which differ from the best",
    "health": "say how the training of a run is going, and what may help",
}


def main(arguments: list[str] | None = None) -> None:
    """Runs one command and exits with its code; the arguments of the process if none are given."""
    is_process = arguments is None  # whose signals and threads are the command's own
    if is_process:
        terminal.keep_printing()
        thread_errors.keep_back()
    with terminal.warnings_like_errors():
        code = _run(sys.argv[1:] if is_process else arguments, is_process)
    if is_process:
        leave_signals()
    if is_process and code == INTERRUPTED:
        # Python forgets the code where the interrupt has passed through C code on its way.
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def _run(arguments: list[str], is_process: bool) -> int:
    try:
        name, *rest = arguments or [""]
        if name in ("-h", "--help"):
            print(_overview(), flush=True)
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
        code = command.run()
        sys.stdout.flush()  # here, where an error has its message
        return code
    except RequestError as error:
        # What it wraps may come from JAX.
        message = jax_settings.explanation(error) if error.__cause__ else None
        print(f"error: {message or error}", file=sys.stderr)
        return WRONG_REQUEST
    except UnicodeEncodeError as error:
        word = error.object[error.start : error.end]
        print(
            f"error: {word!r} in {error.object!r} cannot be written in the encoding "
            f"{error.encoding} of this machine's locale: set PYTHONUTF8=1",
            file=sys.stderr,
        )
        return WRONG_REQUEST
    except OSError as error:
        full = os.strerror(errno.ENOSPC) in str(error)
        hint = "; free some space and run the same command again" if full else ""
        message = jax_settings.explanation(error) or f"{error}{hint}"
        print(f"error: {message}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("interrupted; a run that has saved a checkpoint resumes from it", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        message = jax_settings.explanation(error)
        if message is None:
            raise
        print(f"error: {message}", file=sys.stderr)
        return WRONG_REQUEST


def _overview() -> str:
    lines = (f"  {name:<10} {summary}" for name, summary in COMMANDS.items())
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
