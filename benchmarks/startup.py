"""How long a person waits: help, first steps, compiling, saving, and the loop around the steps.

    python benchmarks/startup.py

Prints medians over REPEATS alternating runs, for the machine that it runs on.
"""

import contextlib
import dataclasses
import io
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
import tyro

from gan_jax import gan, runs
from gan_jax.data import images
from gan_jax.runs import checkpoints
from gan_jax.runs.serialisation import load_experiment
from gan_jax.training.batches import make_batches
from gan_jax.training.diagnostics import Diagnostics
from gan_jax.training.logs import Display, RunLog
from gan_jax.training.loop import run_loop, run_steps
from gan_jax.training.parallel_seeds import make_plan
from gan_jax.training.session import RunInTraining, Session
from gan_jax.training.train import train

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "gan_jax"]
REPEATS = 5
LOOP_STEPS = 500  # from one checkpoint and picture to the next
STEPS_TIMED = 10  # long enough for a save to end among them
# Experiments whose programs are compiled and timed: options of benchmarks/program.py.
PROGRAMS = {
    "dcgan_mnist": ("--discriminator-steps", "1"),
    "mnist_wgan_gp": ("--discriminator-steps", "1", "5", "--steps", "20"),
    "sngan_cifar10": ("--discriminator-steps", "1", "5", "--calls", "0"),
}


def main() -> None:
    """Measures everything and prints a line for each figure."""
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"gan-jax --help: {statistics.median(help_seconds() for _ in range(REPEATS)):.2f} s")
    first_step_seconds()  # fills the compilation cache
    seconds = statistics.median(first_step_seconds() for _ in range(REPEATS))
    print(f"quickstart, second start to the metrics of the first step: {seconds:.1f} s")
    show_programs()
    seconds = sample_seconds()
    print(f"reference recipe: 10000 samples into an .npz, whole process: {seconds:.1f} s")
    save_cost()
    loop_cost()


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


def show_programs() -> None:
    """What compiling, memory and a step cost, each in a process of its own."""
    for name, timing in PROGRAMS.items():
        command = [
            sys.executable,
            str(ROOT / "benchmarks" / "program.py"),
            f"experiments/{name}.py",
        ]
        subprocess.run([*command, *timing], check=True, cwd=ROOT)


def sample_seconds() -> float:
    """Whole process of `gan-jax sample --count 10000`, after one that fills the cache."""
    experiment = load_experiment(ROOT / "experiments" / "dcgan_mnist.py")
    data = images.mnist_sample()
    experiment = dataclasses.replace(experiment, data=data, epochs=None, steps=1)
    times = []
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stderr(io.StringIO()):
            train(experiment, Path(folder) / "run")
        for _ in range(REPEATS + 1):
            start = time.perf_counter()
            arguments = ["sample", f"{folder}/run", "--count", "10000", "--out", f"{folder}/a.npz"]
            subprocess.run([*COMMAND, *arguments], check=True, capture_output=True)
            times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def loop_cost() -> None:
    """The quickstart's training loop against nothing but its compiled calls, alternately."""
    experiment = load_experiment(ROOT / "experiments" / "quickstart.py")
    experiment = dataclasses.replace(experiment, steps=LOOP_STEPS, evaluate_every=None)
    plan = make_plan("map", 1, experiment.batch_size)
    static, hyperparameters = experiment.static, plan.hyperparameters([experiment])
    source = make_batches(experiment, [0], plan.mesh, 0, LOOP_STEPS)
    calls = [source.next(step, source.limit) for step in range(0, LOOP_STEPS, source.limit)]
    init = jax.jit(gan.init, static_argnums=(0, 1))
    ratios = []
    for repeat in range(REPEATS + 1):
        states = plan.stack([init(experiment, 0)])
        with tempfile.TemporaryDirectory() as folder:
            directory = runs.RunDirectory(Path(folder))
            directory.samples.mkdir()
            with (
                Display(0, LOOP_STEPS) as display,
                RunLog(directory, 0, 0) as log,
                checkpoints.Checkpointer(directory.checkpoints, 3) as checkpointer,
            ):
                never = bool  # bool() is False: nothing stops it
                diagnostics = Diagnostics.of(experiment)
                run = RunInTraining(0, experiment, directory, log, checkpointer, diagnostics, None)
                now = time.monotonic()
                session = Session(plan, (run,), display, never, LOOP_STEPS, now, several=False)
                start = time.perf_counter()
                with contextlib.redirect_stderr(io.StringIO()):
                    run_loop(session, states, 0)
            whole = time.perf_counter() - start
        states = plan.stack([init(experiment, 0)])
        start = time.perf_counter()
        for pool, positions in calls:
            states, _ = run_steps(
                static, plan, states, hyperparameters, pool, positions, source.limit
            )
            jax.block_until_ready(states)
        if repeat:  # the first compiles
            ratios.append(whole / (time.perf_counter() - start))
    print(f"quickstart, {LOOP_STEPS} steps: the whole loop with data, logs, pictures and saving")
    print(f"  takes {statistics.median(ratios):.3f} of its compiled calls ({min(ratios):.3f} to")
    print(f"  {max(ratios):.3f})")


def save_cost() -> None:
    """The reference recipe's step, and what one asynchronous save adds to the steps around it."""
    experiment = load_experiment(ROOT / "experiments" / "dcgan_mnist.py")
    plan = make_plan("map", 1, experiment.batch_size)
    static, hyperparameters = experiment.static, plan.hyperparameters([experiment])
    states = plan.stack([gan.init(experiment, 0)])
    shape = (experiment.batch_size, *experiment.data.sample_shape)
    pool = {"sample": np.zeros(shape, np.uint8), "label": None}
    positions = np.arange(experiment.batch_size, dtype=np.int32)[None, None].repeat(STEPS_TIMED, 1)
    plain, saving = [], []
    with (
        tempfile.TemporaryDirectory() as folder,
        checkpoints.Checkpointer(Path(folder), 3) as checkpointer,
    ):
        for repeat in range(2 * (REPEATS + 1)):
            start = time.perf_counter()
            if repeat % 2:
                checkpointer.save(repeat, states)
            states, _ = run_steps(
                static, plan, states, hyperparameters, pool, positions, STEPS_TIMED
            )
            jax.block_until_ready(states)
            if repeat > 1:  # the first of each kind compiles
                (saving if repeat % 2 else plain).append(time.perf_counter() - start)
    step = statistics.median(plain) / STEPS_TIMED
    extra = statistics.median(s - p for s, p in zip(saving, plain, strict=True))
    fraction = extra / (experiment.save_every * step)
    print(f"reference recipe: {step * 1000:.0f} ms a step; one save adds {extra:.2f} s, which is")
    print(f"  {fraction:.2%} of the {experiment.save_every} steps from one save to the next")


if __name__ == "__main__":
    tyro.cli(main)
