"""How long a person waits: help, the first step of a second start, and what saving costs.

    python benchmarks/startup.py

Prints medians over REPEATS alternating runs, for the machine that it runs on.
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np

from gan_jax import checkpoints, devices, gan
from gan_jax.config import load_experiment
from gan_jax.loop import run_steps

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "gan_jax"]
REPEATS = 5
STEPS_TIMED = 10  # long enough for a save to end among them


def main() -> None:
    """Measures everything and prints a line for each figure."""
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"gan-jax --help: {statistics.median(help_seconds() for _ in range(REPEATS)):.2f} s")
    first_step_seconds()  # fills the compilation cache
    seconds = statistics.median(first_step_seconds() for _ in range(REPEATS))
    print(f"quickstart, second start to the metrics of the first step: {seconds:.1f} s")
    save_cost()


def help_seconds() -> float:
    """Whole process of `gan-jax --help`."""
    start = time.perf_counter()
    subprocess.run([*COMMAND, "--help"], check=True, capture_output=True)
    return time.perf_counter() - start


def first_step_seconds() -> float:
    """From the start of the process until the first step's metrics are on disk."""
    with tempfile.TemporaryDirectory() as folder:
        metrics = Path(folder) / "run" / "metrics.jsonl"
        start = time.perf_counter()
        arguments = ["--log-every", "1", "--steps", "2", "--workdir", str(metrics.parent)]
        process = subprocess.Popen(
            [*COMMAND, "train", str(ROOT / "experiments" / "quickstart.py"), *arguments],
            stderr=subprocess.DEVNULL,
        )
        while not (metrics.exists() and metrics.stat().st_size):
            assert process.poll() is None, "training ended without metrics"
            time.sleep(0.01)
        seconds = time.perf_counter() - start
        process.wait()
    return seconds


def save_cost() -> None:
    """The reference recipe's step, and what one asynchronous save adds to the steps around it."""
    experiment = load_experiment(ROOT / "experiments" / "dcgan_mnist.py")
    mesh = devices.make_mesh(experiment.batch_size)
    state = jax.device_put(gan.init(experiment, 0), devices.replicated(mesh))
    shape = (experiment.batch_size, *experiment.data.sample_shape)
    pool = {"sample": np.zeros(shape, np.uint8), "label": None}
    positions = np.arange(experiment.batch_size, dtype=np.int32)[None].repeat(STEPS_TIMED, 0)
    plain, saving = [], []
    with (
        tempfile.TemporaryDirectory() as folder,
        checkpoints.Checkpointer(Path(folder), 3) as saver,
    ):
        for repeat in range(2 * (REPEATS + 1)):
            start = time.perf_counter()
            if repeat % 2:
                saver.save(repeat, state)
            state, _ = run_steps(experiment, mesh, state, pool, positions, STEPS_TIMED)
            jax.block_until_ready(state)
            if repeat > 1:  # the first of each kind compiles
                (saving if repeat % 2 else plain).append(time.perf_counter() - start)
    step = statistics.median(plain) / STEPS_TIMED
    extra = statistics.median(s - p for s, p in zip(saving, plain, strict=True))
    share = extra / (experiment.save_every * step)
    print(f"reference recipe: {step * 1000:.0f} ms a step; one save adds {extra:.2f} s, which is")
    print(f"  {share:.2%} of the {experiment.save_every} steps from one save to the next")


if __name__ == "__main__":
    main()
