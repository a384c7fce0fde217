"""`gan-jax evaluate`: measures the samples of runs, or compares two sets of images."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from tyro.conf import Positional, arg

from gan_jax.cli.parsing import Command, options_of
from gan_jax.cli.shared import (
    OpensRuns,
    announce,
    check_key,
    check_out,
    check_range,
    checkpoint_step,
    measure_groups,
    say_unrecorded,
)
from gan_jax.common.errors import RequestError
from gan_jax.data.sources.decode import MOST_PIXELS


@dataclasses.dataclass(frozen=True)
class EvaluateRuns(OpensRuns):
    """Measure samples of runs that differ only in their seed.

    Prints a table with 95 % intervals, and adds a line for each metric to evaluation.jsonl in each
    run.
    """

    USAGE: ClassVar[str] = "evaluate RUN ..."

    runs: Annotated[Positional[tuple[Path, ...]], arg(metavar="RUN ...")] = ()
    """Run directories. The configurations of a sweep are measured separately."""
    seed: int | None = None
    """Of runs with several seeds: which one; all if not given."""
    samples: int = 10_000
    """How many samples to draw from each run; at least 30 for all metrics."""
    step: str = "latest"
    """Which checkpoint: a step, best or latest."""
    features: str | None = None
    """Feature network: mnist, spoken_digits, an .npz of `gan-jax features`, the .pth file of
    Inception, or MODULE:FUNCTION; the experiment's own if not given."""
    key: int = 0
    """Random key of the latents."""
    out: Path | None = None
    """.jsonl file for the lines of all runs, instead of evaluation.jsonl in each of them."""

    @classmethod
    def fits(cls, words: Sequence[str]) -> bool:
        """Whether --data is not given."""
        return not EvaluateData.fits(words)

    def run(self) -> int:
        """Measures each group of runs; see `gan_jax.evaluation.of_runs`."""
        if not self.runs:
            raise RequestError("give at least one run directory, or two sets of images with --data")
        check_range("--samples", self.samples, 2)
        check_key("--key", self.key)
        step = checkpoint_step(self.step)
        out = check_out(self.out, ".jsonl") if self.out else None
        from gan_jax.evaluation import of_runs
        from gan_jax.reports import terminal
        from gan_jax.runtime import devices

        devices.configure()
        self.admit(*self.runs)
        network = _network(self.features)
        announce("measuring each run")

        def measure(paths: list[Path]) -> of_runs.Evaluation:
            return of_runs.evaluate_runs(
                paths, self.samples, step, network, self.key, announce, out
            )

        return measure_groups(self.runs, self.seed, measure, terminal.show)


@dataclasses.dataclass(frozen=True)
class EvaluateData(Command):
    """Compare two sets of images by the metrics of samples, and print a table."""

    USAGE: ClassVar[str] = "evaluate --data IMAGES REAL"

    data: Annotated[tuple[str, str], arg(metavar="IMAGES REAL")]
    """The images to measure, and those that count as real: folders, .npz files, names of data sets,
    or what `gan-jax sample --out FILE.npz` wrote."""
    features: str | None = None
    """Feature network: mnist, an .npz of `gan-jax features`, the .pth file of
    Inception, or MODULE:FUNCTION; the one for the second set if not given."""
    size: int | None = None
    """Height and width in pixels to which the images are scaled and cropped; if not given, the one
    that all of them have."""
    channels: Literal[1, 3] | None = None
    """1 for greyscale, 3 for colour; if not given, what all of them are in."""
    most_pixels: int = MOST_PIXELS
    """An image file with more pixels is left out, before it is decoded."""
    out: Path | None = None
    """.jsonl file to which a line for each metric is added."""

    @classmethod
    def fits(cls, words: Sequence[str]) -> bool:
        """Whether --data is given."""
        return "data" in options_of(words)

    def run(self) -> int:
        """Measures the first set of images against the second."""
        out = check_out(self.out, ".jsonl") if self.out else None
        from gan_jax.evaluation import of_runs
        from gan_jax.reports import terminal
        from gan_jax.runtime import devices

        devices.configure()
        network = _network(self.features)
        evaluation = of_runs.evaluate_data(
            *self.data, self.size, self.channels, network, announce, self.most_pixels, out
        )
        terminal.show(evaluation)
        return say_unrecorded(evaluation.unrecorded)


def _network(text: str | None) -> Any:
    from gan_jax.features import named

    return named.from_text(text) if text else None


FORMS = (EvaluateRuns, EvaluateData)
