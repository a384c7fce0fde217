"""The plan and the progress of a sweep, printed on the terminal."""

from rich.text import Text

from gan_jax.common.errors import RequestError
from gan_jax.experiment import Experiment
from gan_jax.reports.terminal import compact_table, make_console, print_whole
from gan_jax.sweeps import plan, train
from gan_jax.sweeps.plan import Sweep, SweepDirectory

COUNTED = ("finished", "diverged", "training", "waiting")  # fields of train.Progress


def show_plan(directory: SweepDirectory, sweep: Sweep, *, with_failed: bool) -> None:
    """Prints what is left to train, by the program that trains it.

    Args:
        directory: where the sweep is, or will be.
        sweep: what it is.
        with_failed: whether configurations that failed are to be trained again.

    Raises:
        RequestError: a configuration cannot be trained.
    """
    plan.check(sweep)
    seeds = ", ".join(map(str, sweep.seeds))
    jobs = train.jobs(directory, sweep, with_failed=with_failed)
    for number, job in enumerate(jobs, start=1):
        print(f"program {number}:")
        for name, experiment in job.items():
            print(f"  {name}: seeds {seeds}, {_steps(experiment)} steps")


def show_status(directory: SweepDirectory, sweep: Sweep) -> None:
    """Prints a line for each configuration: how many of its seeds are finished, and why it failed.

    Args:
        directory: where the sweep is.
        sweep: what it is; other configurations in the directory are not shown.
    """
    console, plain = make_console()
    table = compact_table("configuration", *COUNTED, "steps", "failed")
    for name, experiment in sweep.configurations.items():
        state = train.progress(directory, sweep, name)
        counts = (str(getattr(state, count)) for count in COUNTED)
        steps = f"{state.steps} of {_steps(experiment, len(sweep.seeds))}"
        table.add_row(Text(name), *counts, steps, Text(state.failure or ""))
    print_whole(console, table, wrapped="" if plain else "failed")


def _steps(experiment: Experiment, seeds: int = 1) -> str:
    try:
        return str(seeds * experiment.total_steps())
    except RequestError:  # given in epochs, of data that cannot be read
        return "an unknown number of"
