"""Measures how long experiment files train on this machine, by timing a few steps of each.

    PYTHONPATH=. python benchmarks/recipes.py experiments/quickstart.py experiments/mnist_r1.py

All files take turns. The minutes are the median time of a step times the number of steps of the
experiment, without start, compilation, evaluation and saving.
"""

import statistics
import sys
from pathlib import Path

import jax
import tyro
from seeds import in_turns, runner

from gan_jax.common.errors import RequestError
from gan_jax.runs.serialisation import load_experiment
from gan_jax.runtime import devices


def main(
    files: tyro.conf.Positional[tuple[Path, ...]], /, rounds: int = 5, calls_of: int = 20
) -> None:
    """Prints a table.

    Args:
        files: experiment files.
        rounds: how often each is timed.
        calls_of: steps that are timed together.
    """
    if not files or rounds < 1 or calls_of < 1:
        sys.exit("name at least one file, and at least one round of one step")
    try:
        experiments = {file.stem: load_experiment(file) for file in files}
    except RequestError as error:
        sys.exit(f"error: {error}")
    runners = {name: runner(each, "map", 1, calls_of) for name, each in experiments.items()}
    print(f"{devices.cores()} cores, JAX {jax.__version__}\n")
    print("| | ms a step, min to max | steps | minutes |\n|---|---|---|---|")
    for name, seconds in in_turns(runners, rounds).items():
        low, middle, high = (1000 * of(seconds) / calls_of for of in (min, statistics.median, max))
        steps = experiments[name].total_steps()
        print(
            f"| {name} | {middle:.1f}, {low:.1f} to {high:.1f} | {steps:,} "
            f"| {middle * steps / 60_000:.1f} |"
        )


if __name__ == "__main__":
    tyro.cli(main)
