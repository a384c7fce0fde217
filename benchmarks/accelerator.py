"""What training steps cost on a GPU or TPU: time, share of its peak, and kernels launched.

    python benchmarks/accelerator.py --peak 495e12 --out steps.csv

Measures the reference recipe and the SNGAN and R3GAN pairs of `peers/case.py` at several batch
sizes, with deterministic sums, as `gan-jax train` has them, and without, in a process each. It
takes one device. It ends at once where there is neither GPU nor TPU; `--anyway` tries it on a CPU.
Operations are those that XLA counts in the step before it optimises it.
"""

import csv
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import jax
import tyro
from inputs import inputs
from peers import ours
from peers.case import CASES

from gan_jax.common.provenance import git_commit
from gan_jax.runtime import devices
from gan_jax.training.loop import run_steps

PAIRS = {"reference": "reference, batch 256", "SNGAN": "SNGAN, width 64", "R3GAN": "R3GAN"}
SUMS = {"deterministic": "true", "any": "false"}
NOT_ENOUGH_MEMORY = "RESOURCE_EXHAUSTED"
COLUMNS = (
    *("pair", "sums", "batch", "ms", "min_ms", "max_ms", "images_per_s", "tflop_per_s"),
    *("share_of_peak", "launches", "compiled_s"),
)


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        pairs: of networks.
        batches: examples in a batch.
        rounds: timed calls of each program, after one that is not.
        steps: in a call.
        peak: operations per second of the device in the precision of its products, from its data
            sheet; without it no share is given.
        out: a CSV file for the rows, which are printed as well.
        anyway: measure on a CPU, too.
        sums: measure in this process, with such sums; for the script's own use.
    """

    pairs: tuple[str, ...] = tuple(PAIRS)
    batches: tuple[int, ...] = (64, 256, 1024, 4096)
    rounds: int = 5
    steps: int = 20
    peak: float | None = None
    out: Path | None = None
    anyway: bool = False
    sums: Literal["", "deterministic", "any"] = ""


def main(options: Options) -> None:
    """Starts a process for each kind of sums, or measures in this one."""
    if unknown := set(options.pairs) - set(PAIRS):
        sys.exit(f"--pairs {' '.join(sorted(unknown))}: there are {', '.join(PAIRS)}")
    if options.out and options.out.exists() and not options.sums:
        sys.exit(f"--out {options.out}: there is such a file")
    if options.sums:
        measure(options)
        return
    for sums in SUMS:
        code = subprocess.run([sys.executable, *sys.argv, "--sums", sums]).returncode
        if code:
            sys.exit(code)


def measure(options: Options) -> None:
    """Measures all pairs at all batch sizes with one kind of sums."""
    flag = f"--xla_gpu_deterministic_ops={SUMS[options.sums]}"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}"
    devices.configure()
    jax.config.update("jax_compilation_cache_dir", None)
    device, *others = jax.devices()
    if device.platform == "cpu" and not options.anyway:
        sys.exit("there is no GPU or TPU here; --anyway measures the CPU")
    if others:
        sys.exit(f"there are {1 + len(others)} devices; show JAX one: CUDA_VISIBLE_DEVICES=0")
    if options.sums == next(iter(SUMS)):
        write(COLUMNS, options.out)
    print(f"{device.device_kind}, jax {jax.__version__}, commit {git_commit()}", file=sys.stderr)
    for pair in options.pairs:
        for batch in sorted(options.batches):
            try:
                row = measured(pair, batch, options)
            except jax.errors.JaxRuntimeError as error:
                if NOT_ENOUGH_MEMORY not in str(error):
                    raise
                print(f"{pair}, batch {batch}: not enough memory", file=sys.stderr)
                break
            cells = [f"{value:.4g}" if isinstance(value, float) else value for value in row]
            write(cells, options.out)


def measured(pair: str, batch: int, options: Options) -> list:
    """Returns the row of one pair at one batch size."""
    experiment = ours.experiment_of(dataclasses.replace(CASES[PAIRS[pair]], batch=batch))
    plan, states, arguments = inputs(experiment, options.steps)
    arguments = jax.device_put(arguments)
    lowered = run_steps.lower(experiment.static, plan, states, *arguments)
    operations = lowered.cost_analysis()["flops"]
    start = time.perf_counter()
    compiled = lowered.compile()
    compiling = time.perf_counter() - start

    def call() -> float:
        nonlocal states
        start = time.perf_counter()
        states, _ = jax.block_until_ready(compiled(states, *arguments))
        return (time.perf_counter() - start) / options.steps

    call()
    times = [call() for _ in range(options.rounds)]
    launches = launched(call)
    seconds = statistics.median(times)
    rate = operations / seconds
    share = rate / options.peak if options.peak else ""
    row = [pair, options.sums, batch, 1e3 * seconds, 1e3 * min(times), 1e3 * max(times)]
    row += [batch / seconds, rate / 1e12, share]
    return [*row, launches / options.steps if launches else "", compiling]


def write(cells: Sequence, out: Path | None) -> None:
    """Prints a row, and writes it to a file if there is one."""
    csv.writer(sys.stdout, lineterminator="\n").writerow(cells)
    sys.stdout.flush()
    if out:
        with out.open("a", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerow(cells)


def launched(call: Callable) -> int:
    """How many kernels and copies a GPU's streams run during a call; 0 on other devices."""
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            call()
        (file,) = Path(folder).rglob("*.xplane.pb")
        planes = jax.profiler.ProfileData.from_file(str(file)).planes
        lines = [line for plane in planes if "/device:" in plane.name for line in plane.lines]
        return sum(len(list(line.events)) for line in lines if line.name.startswith("Stream"))


if __name__ == "__main__":
    main(tyro.cli(Options))
