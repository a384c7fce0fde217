"""Whether samples help classifiers that have few real examples to learn from.

For some numbers of real examples of each class, classifiers learn from these as they are, from
these augmented, with small changes of position, size and angle, from samples, and from both, of
which each makes up half. All are tested on held-out examples.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.data.sources.base import Examples
from gan_jax.data.sources.choose import choose
from gan_jax.evaluation.of_runs import Evaluation, checkpoints_line
from gan_jax.evaluation.rows import Row
from gan_jax.recognition.classifier_training import Labelled
from gan_jax.recognition.task import Task, draw, enough, sampled_parameters

REAL, AUGMENTED, GENERATED = "real", "real, augmented", "samples"
BOTH = "real and samples, augmented"


def recognise_few(task: Task, per_class: Sequence[int], out: Path | None = None) -> Evaluation:
    """Measures runs, and adds rows to recognition.jsonl of each.

    The metric is accuracy, of the field trained_on, at so many real examples of each class as the
    field per_class says; accuracy_gain is how much more of the test classifiers get right with
    samples beside the augmented real examples, each against the one of the same seed and real
    examples. Each classifier of each run has a seed, and real examples, of its own.

    Args:
        task: the runs, see `open_task`.
        per_class: numbers of real examples of each class, each at least 1.
        out: .jsonl file for the rows of all runs, instead of the recognition.jsonl of each.

    Raises:
        RequestError: a class has fewer examples, or samples are not finite.
    """
    seen = len(task.real.label)
    fewest = int(np.bincount(task.real.label, minlength=task.data.classes).min())
    if max(per_class) > fewest:
        raise RequestError(
            f"--per-class {max(per_class)}: the runs were trained on {seen:,} examples, of one "
            f"class only {fewest}"
        )
    rows, unrecorded = [], []
    for run in task.opened:
        of_run, failures = task.record(run, _measured(task, run, per_class), out)
        rows += of_run
        unrecorded += failures
    fewer = [number for number in per_class if number * task.data.classes < seen]
    more = f", more than the classifiers of {', '.join(map(str, fewer))}" if fewer else ""
    facts = (
        f"{task.in_words} for each run, tested on {len(task.test.label):,} held-out examples; "
        "intervals: over classifiers and tests, or of several runs over these",
        f"generators have seen {seen:,} real examples{more}",
        checkpoints_line(task.opened),
    )
    return Evaluation(facts, tuple(rows), tuple(dict.fromkeys(unrecorded)))


def _measured(task: Task, run: runs.Run, per_class: Sequence[int]) -> list[Row]:
    """Trains and tests the classifiers of one run."""
    seeds = task.seeds_of(run)
    drawn, test = draw(task, run, task.labels()), task.test
    where = {"samples": len(drawn.label), "real_samples": len(test.label)}
    where |= {"generator_examples": len(task.real.label), "parameters": sampled_parameters(run)}

    def right(
        examples: Labelled | Sequence[Labelled], what: str, *, augmented: bool
    ) -> list[np.ndarray]:
        recipe = replace(task.recipe, augmented=augmented)
        return [each.right(test) for each in task.fit(examples, what, recipe, seeds)]

    of_samples = right(enough(drawn), f"samples of {run.directory.path}", augmented=True)
    rows: list[Row] = []
    for number in per_class:
        chosen, few = [_chosen(task, number, seed) for seed in seeds], f"{number} of each class"
        mixed = [enough(_mixed(each, drawn)) for each in chosen]
        found = {
            REAL: right(chosen, few, augmented=False),
            AUGMENTED: right(chosen, f"{few}, augmented", augmented=True),
            GENERATED: of_samples,
            BOTH: right(mixed, f"{few} and samples", augmented=True),
        }
        where["per_class"] = number
        for trained_on, by_classifier in found.items():
            rows += task.rows(by_classifier, test.label, "accuracy", trained_on=trained_on, **where)
        pairs = zip(found[BOTH], found[AUGMENTED], strict=True)
        gains = [both.astype(np.int8) - alone for both, alone in pairs]
        rows += task.rows(gains, test.label, "accuracy_gain", **where)
    return rows


def _chosen(task: Task, number: int, choice: int) -> Labelled:
    """Returns so many real examples of each class, each at least once."""
    examples = Examples(task.real.sample, task.real.label, task.data.class_names)
    return enough(task.real.at(choose(examples, number, choice)))


def _mixed(real: Labelled, drawn: Labelled) -> Labelled:
    """Returns as many real examples as samples, the former again and again."""
    again = real.at(np.arange(len(drawn.label)) % len(real.label))
    return Labelled(*map(np.concatenate, zip(again, drawn, strict=True)))
