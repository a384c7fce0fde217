"""What several seeds in one program cost, beside one after another.

    PYTHONPATH=. python benchmarks/seeds.py steps
    PYTHONPATH=. python benchmarks/seeds.py processes
    PYTHONPATH=. python benchmarks/seeds.py memory

`steps` times the compiled steps of the quickstart and others, in milliseconds for each seed and
step: alone, and for every strategy; all take turns. `processes` times whole commands,
start and compilation included: `gan-jax train --seeds 0:8` beside eight commands of one seed, one
after another and two at a time. The three take turns there too, in which the others
are stopped, so that a drift of the machine's speed reaches all of them alike (POSIX only). `memory`
compares the peaks of commands of few and many seeds.
"""

import collections
import dataclasses
import os
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import jax
import numpy as np
import tyro

from gan_jax import gan
from gan_jax.experiment import Experiment
from gan_jax.runs.serialisation import load_experiment
from gan_jax.runtime import devices
from gan_jax.training.loop import run_steps
from gan_jax.training.parallel_seeds import make_plan

ROOT = Path(__file__).parents[1]
QUICKSTART = ROOT / "experiments" / "quickstart.py"
REFERENCE = ROOT / "experiments" / "dcgan_mnist.py"
RING = ROOT / "experiments" / "toy_ring.py"
MIB = 2**20
Row = Literal["quickstart", "width 8", "points", "points, width 8", "reference"]
STRATEGIES = ("map", "vmap", "shard", "shard-vmap")


def steps(seeds: int = 4, rounds: int = 5, calls_of: int = 20, only: Row | None = None) -> None:
    """Times compiled steps.

    Args:
        seeds: how many together.
        rounds: how often each has a turn.
        calls_of: steps in each turn.
        only: one of the rows.
    """
    devices.use_cores(seeds)
    experiment = load_experiment(QUICKSTART)
    narrow = dataclasses.replace(
        experiment,
        generator=dataclasses.replace(experiment.generator, width=8),
        discriminator=dataclasses.replace(experiment.discriminator, width=8, hidden=32),
    )
    cores = devices.cores()
    print(f"{cores} cores, {jax.device_count()} devices, JAX {jax.__version__}")
    print(f"milliseconds for each of {seeds} seeds and step (fraction of the time alone)")
    print("quickstart and a perceptron on points, each also with width 8, and the reference\n")
    print("| | alone | " + " | ".join(STRATEGIES) + " |")
    print("|---" * (len(STRATEGIES) + 2) + "|")
    points = load_experiment(RING)
    reference = load_experiment(REFERENCE)
    reference = dataclasses.replace(reference, data=experiment.data, epochs=None, steps=1)
    smallest = dataclasses.replace(
        points,
        generator=dataclasses.replace(points.generator, width=8),
        discriminator=dataclasses.replace(points.discriminator, width=8),
        batch_size=32,
    )
    rows = {"quickstart": experiment, "width 8": narrow, "points": points}
    rows |= {"points, width 8": smallest, "reference": reference}
    for name, what in {only: rows[only]}.items() if only else rows.items():
        runners = {"alone": runner(what, "map", 1, calls_of)}
        runners |= {strategy: runner(what, strategy, seeds, calls_of) for strategy in STRATEGIES}
        times = {
            kind: [1000 * each / calls_of / (1 if kind == "alone" else seeds) for each in seconds]
            for kind, seconds in in_turns(runners, rounds).items()
        }
        cells = [f"{statistics.median(times['alone']):.2f}"]
        for strategy in STRATEGIES:
            ratios = [b / a for a, b in zip(times["alone"], times[strategy], strict=True)]
            cells.append(f"{statistics.median(times[strategy]):.2f} ({_spread(ratios)})")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def processes(
    file: Path = QUICKSTART,
    seeds: int = 8,
    train_steps: int = 100,
    rounds: int = 3,
    alone: int | None = None,
    turn: float = 15.0,
) -> None:
    """Times whole commands.

    Args:
        file: of the experiment.
        seeds: how many.
        train_steps: of each seed.
        rounds: how often each way is run.
        alone: how many of the commands of one seed are run, an even number; their time is taken
            times seeds / alone. All of them if not given.
        turn: seconds after which the next way goes on; less for ways of which a part is run.
    """
    alone = alone or seeds
    if alone % 2 or not 0 < alone <= seeds:
        print(f"--alone {alone}: give an even number of the {seeds} seeds", file=sys.stderr)
        sys.exit(2)
    times: dict[str, list[float]] = {
        way: [] for way in ("in one program", "one after another", "two at a time")
    }
    with tempfile.TemporaryDirectory() as folder:  # fills the compilation cache
        for several in (("--seeds", f"0:{seeds}"), ("--seed", "0")):
            command = _command(file, Path(folder), 20, *several)
            first = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
            if first.returncode:
                print(first.stderr, end="", file=sys.stderr)
                sys.exit(first.returncode)
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            commands = [_command(file, Path(folder), train_steps, "--seeds", f"0:{seeds}")]
            for together in (1, 2):  # xargs puts each seed in the place of {}
                command = _command(file, Path(folder) / str(together), train_steps, "--seed", "{}")
                commands.append(["xargs", "-P", str(together), "-I", "{}", *command])
            run = (1.0, alone / seeds, alone / seeds)  # which part of each way
            turns = [turn * part for part in run]
            each = commands_in_turns(commands, turns, "\n".join(map(str, range(alone))))
        for way, seconds, part in zip(times, each, run, strict=True):
            times[way].append(seconds / part)
    print(f"{file.stem}, {seeds} seeds, {train_steps} steps, whole commands", end="")
    print(f"; the separate ones are {seeds / alone:g} times {alone}\n" if alone < seeds else "\n")
    print("| | median s | min to max | in one program / this |")
    print("|---|---|---|---|")
    for way, found in times.items():
        ratios = [ours / other for ours, other in zip(times["in one program"], found, strict=True)]
        print(
            f"| {way} | {statistics.median(found):.1f} | {min(found):.1f} to {max(found):.1f} "
            f"| {_spread(ratios)} |"
        )


def memory(file: Path = QUICKSTART, train_steps: int = 100) -> None:
    """Compares the peak of resident memory of commands that train few and many seeds.

    Args:
        file: of the experiment.
        train_steps: of each seed.
    """
    experiment = load_experiment(file)
    state = jax.eval_shape(lambda: gan.init(experiment, 0))
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    print(f"{file.stem}: the state of one seed takes {size / MIB:.1f} MiB\n")
    print("| seeds | peak, MiB |")
    print("|---|---|")
    for seeds in (1, 2, 8, 16):
        with tempfile.TemporaryDirectory() as folder:
            several = ("--seeds", f"0:{seeds}", "--save-every", "25", "--sample-every", "25")
            command = _command(file, Path(folder), train_steps, *several)
            child = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
            _, _, usage = os.wait4(child.pid, 0)
        print(f"| {seeds} | {usage.ru_maxrss / 1024:.0f} |", flush=True)


def runner(experiment: Experiment, strategy: str, seeds: int, count: int) -> Callable[[], float]:
    """A function that runs `count` steps of all seeds, and returns its seconds."""
    plan = make_plan(strategy, seeds, experiment.batch_size)
    if not strategy.startswith("shard"):  # on one device, as `gan-jax train` does
        plan = dataclasses.replace(plan, mesh=devices.make_mesh(1))
    init = jax.jit(gan.init, static_argnums=0)
    states = plan.stack([init(experiment, np.uint32(seed)) for seed in range(seeds)])
    hyperparameters = plan.hyperparameters([experiment] * seeds)
    examples, size = experiment.data.load(), experiment.examples_per_step
    pool = {"sample": examples.sample, "label": examples.label}
    pool = jax.device_put(pool, devices.replicated(plan.mesh))
    positions = np.stack(
        [
            [experiment.data.indices(seed, step, size) for step in range(count)]
            for seed in plan.padded(range(seeds))
        ]
    )

    def run() -> float:
        nonlocal states
        start = time.perf_counter()
        states, metrics = run_steps(
            experiment.static, plan, states, hyperparameters, pool, positions, np.int32(count)
        )
        jax.block_until_ready((states, metrics))
        return time.perf_counter() - start

    return run


def in_turns(runners: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each runner in each round, after one that compiles."""
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for turn in range(rounds + 1):
        for name, run in runners.items():
            spent = run()
            if turn:
                seconds[name].append(spent)
    return seconds


def commands_in_turns(commands: list[list[str]], turns: Sequence[float], given: str) -> list[float]:
    """Seconds of each command, not counted while it is stopped and the others have their turns.

    Args:
        commands: which take turns.
        turns: seconds of a turn of each.
        given: standard input of each.
    """
    seconds = [0.0] * len(commands)
    started: dict[int, subprocess.Popen[bytes]] = {}
    left = collections.deque(range(len(commands)))
    try:
        while left:
            which = left.popleft()
            start = time.perf_counter()
            if which in started:
                os.killpg(started[which].pid, signal.SIGCONT)
            else:
                started[which] = _start(commands[which], given)
            try:
                if code := started[which].wait(turns[which]):
                    sys.exit(f"exit code {code}: {shlex.join(commands[which])}")
            except subprocess.TimeoutExpired:
                os.killpg(started[which].pid, signal.SIGSTOP)
                left.append(which)
            seconds[which] += time.perf_counter() - start
    finally:
        for process in started.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return seconds


def _start(command: list[str], given: str) -> subprocess.Popen[bytes]:
    """Starts a command in a group of its own, so that its children stop with it."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        file.write(given)
        file.seek(0)
        quiet = subprocess.DEVNULL
        return subprocess.Popen(
            command, stdin=file, stdout=quiet, stderr=quiet, cwd=ROOT, process_group=0
        )


def _command(file: Path, folder: Path, train_steps: int, *arguments: str) -> list[str]:
    command = [sys.executable, "-m", "gan_jax", "train", str(file.resolve()), *arguments]
    return [*command, "--steps", str(train_steps), "--workdir", str(folder / "-".join(arguments))]


def _spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}"


if __name__ == "__main__":
    tyro.extras.subcommand_cli_from_dict({"steps": steps, "processes": processes, "memory": memory})
