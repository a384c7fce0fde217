"""`python -m gan_jax` is the command `gan-jax`."""

import os
import signal
import sys

from gan_jax.common.exit_codes import INTERRUPTED, STOPPED
from gan_jax.runtime.signals import exit_at_once


def main() -> None:
    """Runs the command; signals have their exit codes from the start, during imports as well."""
    # XLA before 0.11 prints 2,000 characters for each program that it finds in its cache, as it
    # takes its own hints to the compiler for features of the processor.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    codes = {signal.SIGINT: INTERRUPTED}
    if sys.argv[1:2] in (["train"], ["sweep"]):
        codes[signal.SIGTERM] = STOPPED
    exit_at_once(codes)
    from gan_jax.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
