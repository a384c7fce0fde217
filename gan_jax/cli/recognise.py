"""`gan-jax recognise`: measures what the samples of runs are worth to classifiers."""

import dataclasses
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
    measure_groups,
)
from gan_jax.common.errors import RequestError
from gan_jax.common.validation import is_number

FEW_SAMPLES = 10_000  # beside few real examples, however many a run was trained on


@dataclasses.dataclass(frozen=True)
class Recognise(OpensRuns):
    """Train classifiers on samples of runs, and test them on real examples, and the reverse.

    Known as classification accuracy score, or GAN-train and GAN-test. Prints accuracies with 95 %
    intervals, beside those of classifiers that were trained on real examples, and adds them to
    recognition.jsonl in each run.
    """

    USAGE: ClassVar[str] = "recognise RUN ..."

    runs: Annotated[Positional[tuple[Path, ...]], arg(metavar="RUN ...")] = ()
    """Directories of runs with labels. The configurations of a sweep are measured separately."""
    seed: int | None = None
    """Of runs with several seeds: which one; all if not given."""
    samples: int | None = None
    """How many samples to draw from each run, at least 2; if not given, as many as it was trained
    on, or 10,000 with --per-class. Not with --balance."""
    classifiers: int = 3
    """How many classifiers to train on the samples of each run, and on real examples; at least
    2."""
    classifier_steps: int = 2000
    """Steps of training each of them, with 128 examples each."""
    per_class: Annotated[str | None, arg(metavar="N,N,...")] = None
    """Numbers of real examples of each class: measures how much samples add to so small a training
    set."""
    balance: bool = False
    """Of runs whose classes have different numbers of examples: measures how much samples add to
    the rare ones, beside oversampling and class weights."""
    step: str = "latest"
    """Which checkpoint: a step, best or latest."""
    key: int = 0
    """Seed of the latents."""
    out: Path | None = None
    """.jsonl file for the lines of all runs, instead of recognition.jsonl in each of them."""

    def run(self) -> int:
        """Measures each group of runs; see the modules of `gan_jax.recognition`."""
        if not self.runs:
            raise RequestError("give at least one run directory")
        if self.samples is not None:
            check_range("--samples", self.samples, 2)
        check_range("--classifiers", self.classifiers, 2)
        check_range("--classifier-steps", self.classifier_steps, 1)
        check_key("--key", self.key)
        if self.balance and (self.per_class is not None or self.samples is not None):
            other = "per-class" if self.per_class is not None else "samples"
            raise RequestError(
                f"--balance and --{other}: give one of them; --balance takes all real examples, "
                "and as many samples as fill each class up to the largest"
            )
        step = checkpoint_step(self.step)
        out = check_out(self.out, ".jsonl") if self.out else None
        per_class = None if self.per_class is None else _numbers(self.per_class)
        from gan_jax.recognition import few_examples, of_runs, unbalanced
        from gan_jax.recognition.task import open_task
        from gan_jax.reports import terminal
        from gan_jax.runtime import devices

        devices.configure()
        self.admit(*self.runs)
        count = FEW_SAMPLES if per_class and self.samples is None else self.samples
        announce(f"training {self.classifiers} classifiers on each kind of examples")

        def measure(paths: list[Path]) -> of_runs.Evaluation:
            how = (count, step, self.classifiers, self.classifier_steps, self.key, announce)
            task = open_task(paths, *how)
            if per_class:
                return few_examples.recognise_few(task, per_class, out)
            if self.balance:
                return unbalanced.recognise_unbalanced(task, out)
            return of_runs.recognise_runs(task, out)

        return measure_groups(self.runs, self.seed, measure, terminal.show_accuracies)


def _numbers(text: str) -> list[int]:
    """Reads --per-class.

    Raises:
        RequestError: it is not a list of numbers above 0.
    """
    words = text.split(",")
    if not all(is_number(word) and int(word) > 0 for word in words):
        raise RequestError(f"--per-class {text}: give numbers above 0, as in --per-class 5,10,50")
    return sorted({int(word) for word in words})


FORMS = (Recognise,)
