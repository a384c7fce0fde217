"""A long run: memory, open files and threads must not grow."""

import dataclasses
import gc
import multiprocessing
import os
import threading
from pathlib import Path

from benchmarks.torture.processes import Bench
from benchmarks.torture.tally import Tally
from gan_jax.runs.serialisation import load_experiment
from gan_jax.training.hooks import Hook, Moment

MIB = 2**20
SAVING = 10  # files or threads of a save that is under way while a sample is taken


@dataclasses.dataclass(frozen=True)
class Endurance:
    """How long, and what may grow.

    Attributes:
        steps: of the run.
        warm_up: steps after which nothing may grow any more.
        save_every: steps from one checkpoint, picture and evaluation to the next.
        megabytes: of resident memory, by which the run may grow nevertheless.
        without: hooks of the loop that are left out, to find what grows: names of their classes.
        trace: list the lines of Python code whose memory has grown most.
    """

    steps: int = 100_000
    warm_up: int = 5_000
    save_every: int = 125
    megabytes: float = 10.0
    without: tuple[str, ...] = ()
    trace: bool = False


@dataclasses.dataclass(frozen=True)
class Sample:
    """What the process holds at one step."""

    step: int
    resident: float  # MiB
    files: int
    threads: int

    def __str__(self) -> str:
        held = f"{self.resident:.1f} MiB, {self.files} files, {self.threads} threads"
        return f"step {self.step:,}: {held}"


class Watch(Hook):
    """Notes what the process holds; reads no states."""

    def __init__(self, every: int):
        """Acts every so many steps."""
        self.every = (every,)
        self.samples: list[Sample] = []

    def needs_states(self, step: int) -> bool:
        """Never."""
        return False

    def act(self, moment: Moment) -> None:
        """Takes a sample."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
        resident = pages * os.sysconf("SC_PAGE_SIZE") / MIB
        files = len(os.listdir("/proc/self/fd"))
        self.samples.append(Sample(moment.step, resident, files, threading.active_count()))


def endurance(bench: Bench, counts: Endurance) -> list[Tally]:
    """Trains for long, in a process of its own, and compares what it held with the end."""
    goal = f"at most {counts.megabytes:g} MiB, no files, no threads after {counts.warm_up:,} steps"
    tally = Tally("endurance: steps", goal)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        samples, lines = pool.apply(train_long, (bench.file, bench.folder / "run", counts))
    tally.tried = counts.steps
    first = next(sample for sample in samples if sample.step >= counts.warm_up)
    last = samples[-1]
    for sample in (first, samples[(samples.index(first) + len(samples)) // 2], last):
        tally.note(str(sample))
    a_step = 1024 * (last.resident - first.resident) / max(last.step - first.step, 1)
    tally.note(f"{a_step:.2f} KiB a step")
    for line in lines:
        tally.note(line)
    if last.resident - first.resident > counts.megabytes:
        tally.failures.append(f"grows by {last.resident - first.resident:.1f} MiB")
    if last.files > first.files + SAVING or last.threads > first.threads + SAVING:
        tally.failures.append("files or threads are left open")
    return [tally]


def train_long(file: Path, workdir: Path, counts: Endurance) -> tuple[list[Sample], list[str]]:
    """Trains; returns what the process held over time, and lines of code that hold more."""
    import tracemalloc

    from gan_jax.training import hooks, loop
    from gan_jax.training.train import train

    every = counts.save_every
    experiment = dataclasses.replace(
        load_experiment(file),
        steps=counts.steps,
        epochs=None,
        save_every=every,
        sample_every=every,
        evaluate_every=every,
    )
    watch = Watch(max(counts.warm_up // 5, every))
    made, traces = hooks.make_hooks, []
    loop.make_hooks = lambda *given: tuple(
        hook for hook in made(*given) if type(hook).__name__ not in counts.without
    )

    class Trace(Watch):
        def act(self, moment: Moment) -> None:
            if not traces or moment.is_last:
                gc.collect()
                traces.append(tracemalloc.take_snapshot())

    added = [watch]
    if counts.trace:  # which slows everything down
        tracemalloc.start(3)
        added.append(Trace(counts.warm_up))
    try:
        train(experiment, workdir, hooks=added)
    finally:
        loop.make_hooks = made
    grown = traces[-1].compare_to(traces[0], "traceback")[:8] if traces else []
    return watch.samples, [f"{each.size_diff / 1024:.0f} KiB: {each.traceback}" for each in grown]
