"""Exit codes of the `gan-jax` command."""

FINISHED = 0
FAILED = 1
WRONG_REQUEST = 2
DIVERGED = 3  # with several seeds: all of them
STOPPED = 75  # not finished, and the same command goes on
INTERRUPTED = 130
