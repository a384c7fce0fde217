"""What the compiled steps of an experiment cost: compiling, memory, and a step.

    python benchmarks/program.py experiments/mnist_wgan_gp.py --discriminator-steps 1 5

Prints a line for each number of discriminator steps. The batches are zeros, so no data are needed.
"""

import dataclasses
import resource
import statistics
import time
from pathlib import Path

import jax
import tyro
from inputs import inputs
from tyro.conf import Positional

from gan_jax.runs.serialisation import load_experiment
from gan_jax.runtime import devices
from gan_jax.training.loop import run_steps

MIB = 2**20


@dataclasses.dataclass(frozen=True)
class Program:
    """The steps of an experiment as one program.

    Attributes:
        file: the experiment.
        discriminator_steps: of each update of the generator; the experiment's own if empty.
        calls: timed calls of the program, after two that are not; 0 only compiles.
        steps: in a call.
        cache: folder of JAX's compilation cache; without one it compiles anew.
    """

    file: Positional[Path]
    discriminator_steps: tuple[int, ...] = ()
    calls: int = 5
    steps: int = 3
    cache: Path | None = None


def main(program: Program) -> None:
    """Compiles and times the program for each number of discriminator steps."""
    devices.configure()
    folder = str(program.cache) if program.cache else None
    jax.config.update("jax_compilation_cache_dir", folder)
    given = load_experiment(program.file)
    for count in program.discriminator_steps or (given.discriminator_steps,):
        print(measured(dataclasses.replace(given, discriminator_steps=count), program), flush=True)


def measured(experiment, program: Program) -> str:
    """A line: seconds of compiling, temporary memory, and milliseconds of a step."""
    plan, states, arguments = inputs(experiment, program.steps)
    start, cpu_start = time.perf_counter(), cpu_seconds()
    compiled = run_steps.lower(experiment.static, plan, states, *arguments).compile()
    seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu_start
    temporary = compiled.memory_analysis().temp_size_in_bytes / MIB
    line = f"{program.file.stem}, {experiment.discriminator_steps} discriminator steps: "
    line += f"compiled in {seconds:.1f} s ({cpu:.1f} of CPU), {temporary:.0f} MiB temporary"
    times = []
    for _ in range(program.calls + 2 if program.calls else 0):
        start = time.perf_counter()
        states, _ = compiled(states, *arguments)
        jax.block_until_ready(states)
        times.append((time.perf_counter() - start) / program.steps)
    return line + (f", {statistics.median(times[2:]) * 1000:.1f} ms a step" if times else "")


def cpu_seconds() -> float:
    """Of this process so far, on all cores."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main(tyro.cli(Program))
