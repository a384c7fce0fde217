"""Exit codes of the `gan-jax` command."""

FINISHED = 0
FAILED = 1
WRONG_REQUEST = 2
DIVERGED = 3  # every seed
STOPPED = 75  # before the end; the same command resumes
INTERRUPTED = 130
