"""Times a training step of this package and of other libraries, side by side.

    python benchmarks/step.py --rounds 5

Each implementation runs in a process of its own, and all take turns, so that drift of the machine
affects them alike; the others are stopped meanwhile. Printed are medians over rounds, and the
median over rounds of this package's time divided by the peer's time in the same round. A peer whose
library is not installed is left out, with a line that says how to install it.
"""

import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

import jax
import numpy as np
import tyro
from peers.case import CASES, step_operations

import gan_jax
from gan_jax.common.provenance import git_commit
from gan_jax.data import images

WORKER = Path(__file__).parent / "peers" / "worker.py"
OURS = "gan_jax"
INSTALL = {  # distribution: how to get it
    "keras": "pip install keras==3.15.1",
    "tensorflow-cpu": "pip install tensorflow-cpu==2.21.0",
    "torch": "pip install torch==2.13.0, or --torch-python with a Python that has it",
}
PEERS = {  # name: the distribution it needs
    "Flax Linen": "flax",
    "Keras, TensorFlow": "tensorflow-cpu",
    "Keras, JAX": "keras",
    "PyTorch, eager": "torch",
    "PyTorch, eager, channels last": "torch",
    "PyTorch, compiled": "torch",
    "PyTorch, compiled, channels last": "torch",
}
NO_SECOND_DERIVATIVES = "compiled"  # torch.compile refuses to differentiate twice
NO_PENALTY_WRITTEN = "Keras, JAX"
WITH_ALL_NETWORKS = (OURS, "PyTorch, eager", "PyTorch, eager, channels last")
SAMPLES = 10_000
STEPS_PER_TURN = 5  # about as many as `gan-jax train` has in one call


class Worker:
    """The process of one implementation."""

    def __init__(self, name: str, case: str, batch: Path, python: str):
        """Starts it and waits for its first step; the attribute `built` is how long that took."""
        self._process = subprocess.Popen(
            [python, str(WORKER), name, case, str(batch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.built = self._answer()
        self._process.send_signal(signal.SIGSTOP)

    def ask(self, question: str) -> float:
        """Sends one line and returns the answer; the process runs only in between."""
        self._process.send_signal(signal.SIGCONT)
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        self._process.send_signal(signal.SIGSTOP)
        return answer

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answer(self) -> float:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args[2]} has died; see what it wrote above")
        return float(line)


def main(
    rounds: int = 5,
    cases: tuple[Literal[tuple(CASES)], ...] = tuple(CASES),
    sampling: bool = True,
    torch_python: str = sys.executable,
) -> None:
    """Measures and prints a table for each case.

    Args:
        rounds: how often each implementation is timed.
        cases: names of the cases to measure.
        sampling: also time the drawing of 10,000 images, after the first case.
        torch_python: the Python interpreter that has PyTorch, if it is another one.
    """
    if rounds < 1:
        sys.exit(f"--rounds {rounds}: must be at least 1")
    if not cases:
        sys.exit("--cases: name at least one, or leave it out for all")
    if not shutil.which(torch_python):
        sys.exit(f"--torch-python {torch_python}: there is no such program")
    pythons = dict.fromkeys(PEERS.values(), sys.executable) | {"torch": torch_python}
    versions = {name: version(python, name) for name, python in pythons.items()}
    found = ", ".join(f"{name} {number}" for name, number in versions.items() if number)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
          f"Python {platform.python_version()}, jax {jax.__version__}, {found}")  # fmt: skip
    print(f"gan_jax at {Path(gan_jax.__file__).parent}, commit {git_commit()}")
    print(f"matrix products: {matmul_rate() / 1e9:.0f} GFLOP/s\n", flush=True)
    for name in (name for name, number in versions.items() if not number):
        rows = "; ".join(peer for peer, needed in PEERS.items() if needed == name)
        print(f"left out: {rows} ({INSTALL[name]})", flush=True)
    present = {OURS: sys.executable}
    present |= {peer: pythons[name] for peer, name in PEERS.items() if versions[name]}
    for position, case in enumerate(cases):
        measure(case, present, rounds, sampling and position == 0)


def measure(case: str, pythons: dict[str, str], rounds: int, sampling: bool) -> None:
    """Measures one case and prints its table; `pythons` gives the interpreter of each peer."""
    shape = CASES[case]
    names = list(pythons)
    if shape.networks != "dcgan":
        names = [n for n in names if n in WITH_ALL_NETWORKS]
    if shape.networks in (
        "text",
        "recurrent",
        "wavegan",
    ):  # no height and width to put before the channels
        names = [n for n in names if "channels last" not in n]
    if shape.r1_weight:
        names = [n for n in names if NO_SECOND_DERIVATIVES not in n and n != NO_PENALTY_WRITTEN]
    with tempfile.TemporaryDirectory() as folder:
        batch = Path(folder) / "batch.npy"
        if shape.networks == "dcgan":
            data = images.mnist_sample(size=shape.size, channels=shape.channels)
            np.save(batch, data.batch(0, 0, shape.batch)["sample"])
        else:
            np.save(batch, shape.stored())
        workers: dict[str, Worker] = {}
        try:
            for name in names:
                print(f"building {name}", file=sys.stderr)
                workers[name] = Worker(name, case, batch, pythons[name])
            parameters = {name: int(worker.ask("parameters")) for name, worker in workers.items()}
            if len(set(parameters.values())) > 1:
                sys.exit(f"{case}: the networks are not the same: {parameters} parameters")
            seconds = take_turns(workers, f"train {STEPS_PER_TURN}", rounds)
            seconds = {n: [s / STEPS_PER_TURN for s in times] for n, times in seconds.items()}
            memory = {name: worker.ask("memory") for name, worker in workers.items()}
            operations = step_operations(shape)
            counted = f", {operations / 1e9:.1f} GFLOP a step by hand count" if operations else ""
            print(f"{case}: {parameters[OURS]:,} parameters{counted}\n")
            show(seconds, memory, {n: w.built for n, w in workers.items()}, operations)
            if sampling:
                print(f"{SAMPLES} samples\n")
                take_turns(workers, f"sample {SAMPLES}", 1)  # compiles
                show(take_turns(workers, f"sample {SAMPLES}", rounds))
        finally:
            for worker in workers.values():
                worker.end()


def take_turns(workers: dict[str, Worker], question: str, rounds: int) -> dict[str, list[float]]:
    """Returns the seconds of each worker in each round; the order rotates from round to round."""
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    order = list(workers)
    for index in range(rounds):
        for name in order[index % len(order) :] + order[: index % len(order)]:
            seconds[name].append(workers[name].ask(question))
    return seconds


def show(
    seconds: dict[str, list[float]],
    memory: dict[str, float] | None = None,
    built: dict[str, float] | None = None,
    operations: float | None = None,
) -> None:
    """Prints a table in Markdown, the fastest first."""
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    header = ["", "median ms", "min to max", "gan_jax's time / this"]
    header += ["peak MiB", "built in s"] if memory else []
    header += ["GFLOP/s"] if operations else []
    print("| " + " | ".join(header) + " |\n|" + "---|" * len(header))
    for name in sorted(medians, key=medians.get):
        times = seconds[name]
        ratio = statistics.median(o / t for o, t in zip(seconds[OURS], times, strict=True))
        cells = [name, f"{1e3 * medians[name]:.0f}"]
        cells += [f"{1e3 * min(times):.0f} to {1e3 * max(times):.0f}", f"{ratio:.2f}"]
        if memory:
            cells += [f"{memory[name]:.0f}", f"{built[name]:.1f}"]
        if operations:
            cells += [f"{operations / medians[name] / 1e9:.0f}"]
        print("| " + " | ".join(cells) + " |")
    print(flush=True)


def matmul_rate() -> float:
    """Returns operations per second of batched float32 products of a convolution's usual size."""
    code = (
        "import time, jax\n"
        "a = jax.random.normal(jax.random.key(0), (121, 256, 256))\n"
        "product = jax.jit(lambda a: a @ a)\n"
        "product(a).block_until_ready()\n"
        "times = []\n"
        "for _ in range(20):\n"
        "    start = time.perf_counter()\n"
        "    product(a).block_until_ready()\n"
        "    times.append(time.perf_counter() - start)\n"
        "print(2 * 121 * 256**3 / min(times))\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(out.stdout)


def version(python: str, name: str) -> str:
    """Returns the version of a distribution that an interpreter has; '' if it has none."""
    code = f"import importlib.metadata; print(importlib.metadata.version({name!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    tyro.cli(main)
