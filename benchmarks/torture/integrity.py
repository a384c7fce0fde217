"""What it costs that files are written whole and checkpoints are checked: a fraction of a run."""

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.torture.processes import ROOT, Bench
from benchmarks.torture.tally import Tally
from gan_jax.common import files
from gan_jax.runs import checkpoints
from gan_jax.runs.serialisation import load_experiment

# What is done for integrity. Of an atomic write all is counted, though the plain write is part.
DOING = (
    (checkpoints, "_digests"),
    (checkpoints, "_checksum"),
    (files, "write_atomically"),
    (files, "write_folder_atomically"),
)


@dataclasses.dataclass(frozen=True)
class Integrity:
    """On what run, and how much it may cost.

    Attributes:
        file: an experiment at its default intervals; the tests' own trains too fast to tell.
        warm_up: steps before, in which the run compiles.
        steps: that are measured; a multiple of the intervals of saves and pictures.
        percent: of the time of the run.
    """

    file: Path = ROOT / "experiments" / "quickstart.py"
    warm_up: int = 500
    steps: int = 1000
    percent: float = 2.0


def integrity(bench: Bench, counts: Integrity) -> list[Tally]:
    """Trains, and measures the time in the functions that keep files whole."""
    from gan_jax.training.train import train

    tally = Tally("integrity: steps", f"at most {counts.percent:g} % of a run")
    experiment = dataclasses.replace(load_experiment(counts.file), epochs=None)
    shorter = dataclasses.replace(experiment, steps=counts.warm_up)
    longer = dataclasses.replace(experiment, steps=counts.warm_up + counts.steps)
    train(shorter, bench.folder / "run")
    with _timed() as spent:
        began = time.perf_counter()
        train(longer, bench.folder / "run")
        whole = time.perf_counter() - began
    tally.tried = counts.steps
    for name, seconds in spent.items():
        tally.note(f"{name}: {seconds * 1000:.1f} ms")
    percent = 100 * sum(spent.values()) / whole
    tally.note(f"{percent:.2f} % of {whole:.1f} s")
    if percent > counts.percent:
        tally.failures.append(f"{percent:.2f} %")
    return [tally]


@contextlib.contextmanager
def _timed() -> Iterator[dict[str, float]]:
    """Yields the seconds spent in each function, wherever it has been imported to."""
    spent = {name: 0.0 for _, name in DOING}
    modules = [m for name, m in sys.modules.items() if name.startswith("gan_jax.")]
    replaced = []
    for home, name in DOING:
        plain = getattr(home, name)
        for module in modules:
            if getattr(module, name, None) is plain:
                replaced.append((module, name, plain))
                setattr(module, name, _timing(plain, spent))
    try:
        yield spent
    finally:
        for module, name, plain in replaced:
            setattr(module, name, plain)


def _timing(function: Callable, spent: dict[str, float]) -> Callable:
    def timed(*given, **named):
        began = time.perf_counter()
        try:
            return function(*given, **named)
        finally:
            spent[function.__name__] += time.perf_counter() - began

    return timed
