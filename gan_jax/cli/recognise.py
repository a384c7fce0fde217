"""`gan-jax recognise`: measures what the samples of runs are worth to classifiers."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import Positional, arg

from gan_jax.cli.shared import (
    OpensRuns,
    announce,
    check_key,
    check_out,
    check_range,
    checkpoint_step,
    say_unrecorded,
)
from gan_jax.common.errors import RequestError


@dataclasses.dataclass(frozen=True)
class Recognise(OpensRuns):
    """Train classifiers on samples of runs, and test them on real examples, and the reverse.

    Prints accuracies with 95 % intervals, beside those of classifiers that were trained on real
    examples, and adds them to recognition.jsonl in each run.
    """

    USAGE: ClassVar[str] = "recognise RUN ..."

    runs: Annotated[Positional[tuple[Path, ...]], arg(metavar="RUN ...")] = ()
    """Directories of runs with labels. The configurations of a sweep are measured separately."""
    seed: int | None = None
    """Of runs with several seeds: which one; all if not given."""
    samples: int | None = None
    """How many samples to draw from each run; as many as it was trained on if not given."""
    classifiers: int = 3
    """How many classifiers to train on the samples of each run, and on real examples."""
    classifier_steps: int = 2000
    """Steps of training each of them, with 128 examples each."""
    step: str = "latest"
    """Which checkpoint: a step, best or latest."""
    key: int = 0
    """Random key of the latents."""
    out: Path | None = None
    """.jsonl file for the lines of all runs, instead of recognition.jsonl in each of them."""

    def run(self) -> int:
        """Measures each group of runs; see `gan_jax.recognition.of_runs`."""
        if not self.runs:
            raise RequestError("give at least one run directory")
        if self.samples is not None:
            check_range("--samples", self.samples, 2)
        check_range("--classifiers", self.classifiers, 2)
        check_range("--classifier-steps", self.classifier_steps, 1)
        check_key("--key", self.key)
        step = checkpoint_step(self.step)
        out = check_out(self.out, ".jsonl") if self.out else None
        from gan_jax import runs
        from gan_jax.recognition import of_runs
        from gan_jax.reports import terminal
        from gan_jax.runtime import devices
        from gan_jax.sweeps import plan

        devices.configure()
        self.admit(*self.runs)
        failed, unrecorded = [], []
        for group in plan.evaluated_together(self.runs):
            try:
                evaluation = of_runs.recognise_runs(
                    [found for run in group for found in runs.all_seeds(run, self.seed)],
                    self.samples,
                    step,
                    self.classifiers,
                    self.classifier_steps,
                    self.key,
                    announce,
                    out,
                )
            except RequestError as error:
                failed.append(str(error))
            else:
                if group != list(self.runs):
                    print(*group)
                terminal.show_accuracies(evaluation)
                unrecorded += evaluation.unrecorded
                sys.stdout.flush()
        code = say_unrecorded(unrecorded)
        if failed:
            raise RequestError("\n".join(failed))
        return code


FORMS = (Recognise,)
