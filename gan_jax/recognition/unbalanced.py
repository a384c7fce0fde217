"""Whether samples help with classes of which there are few real examples.

Of data whose classes have different numbers of examples, classifiers learn from the examples as
they are; from these with each example of a rare class taken as often as makes all classes equally
large; with a loss that weighs classes inversely to their numbers; and with samples that fill each
class up to the largest. All are tested on held-out examples.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.common.memory import check_fits
from gan_jax.common.progress import announced
from gan_jax.evaluation.of_runs import Evaluation, checkpoints_line
from gan_jax.evaluation.rows import Row
from gan_jax.recognition import trained
from gan_jax.recognition.classifier_training import Labelled, Recipe
from gan_jax.recognition.task import Task, draw, sampled_parameters

REAL, OVERSAMPLED, WEIGHTED = "real", "real, oversampled", "real, class weights"
FILLED = "real, filled up with samples"


def recognise_unbalanced(task: Task, out: Path | None = None) -> Evaluation:
    """Measures runs, and adds rows to recognition.jsonl of each.

    The metric is accuracy, of the field trained_on; accuracy_gain is how much more of the test
    classifiers get right with samples than with oversampling, each against the one of the same
    seed. The rows of a class have as generator_examples how many real examples of it there are.

    Args:
        task: the runs, see `open_task`; its number of samples is not used.
        out: .jsonl file for the rows of all runs, instead of the recognition.jsonl of each.

    Raises:
        RequestError: all classes have as many examples, one has none, or samples are not finite.
    """
    counts = np.bincount(task.real.label, minlength=task.data.classes)
    names = task.data.class_names
    if not counts.min():
        raise RequestError(f"--balance: no example shows the class {names[counts.argmin()]!r}")
    if counts.min() == counts.max():
        raise RequestError(
            f"--balance: each class has {counts[0]:,} examples, so there is nothing to balance; "
            "make a class rare with images.subset(..., per_class=[...])"
        )
    real = {
        REAL: (task.real, task.recipe),
        OVERSAMPLED: (_oversampled(task.real, counts), task.recipe),
        WEIGHTED: (task.real, replace(task.recipe, class_weights=_weights(counts))),
    }
    whole = task.real.sample[0].nbytes * counts.max() * len(counts)
    check_fits("--balance: classes as large as the largest", 2 * int(whole))
    seeds, rows, unrecorded = range(task.classifiers), [], []
    found = {what: _right(task, *how, seeds, what) for what, how in real.items()}
    for run in task.opened:
        drawn = draw(task, run, labels=np.repeat(np.arange(len(names)), counts.max() - counts))
        filled = Labelled(*map(np.concatenate, zip(task.real, drawn, strict=True)))
        found[FILLED] = _right(task, filled, task.recipe, seeds, f"samples of {run.directory.path}")
        of_run, failures = task.record(run, _rows(task, run, found, len(drawn.label), counts), out)
        rows += of_run
        unrecorded += failures
    rarest = int(counts.argmin())
    facts = (
        f"{task.in_words}, tested on {len(task.test.label):,} held-out examples; intervals: over "
        "classifiers and tests, or of several runs over these",
        f"{len(task.real.label):,} real examples, of a class up to {counts.max():,}, of "
        f"{names[rarest]} only {counts[rarest]:,}; all augmented",
        checkpoints_line(task.opened),
    )
    return Evaluation(facts, tuple(rows), tuple(dict.fromkeys(unrecorded)))


def _right(
    task: Task, examples: Labelled, recipe: Recipe, seeds: Sequence[int], what: str
) -> list[np.ndarray]:
    """Trains one classifier of each seed, and says which tests it gets right."""
    going_on = announced(seeds, len(seeds), f"Training classifiers on {what}")
    return [trained.fit(task.data, examples, recipe, seed).right(task.test) for seed in going_on]


def _rows(
    task: Task,
    run: runs.Run,
    found: dict[str, list[np.ndarray]],
    drawn: int,
    counts: Int64[np.ndarray, " classes"],
) -> list[Row]:
    where = {"parameters": sampled_parameters(run), "samples": drawn}
    where["real_samples"] = len(task.test.label)
    rows: list[Row] = []
    for what, right in found.items():
        rows += task.rows(right, task.test.label, "accuracy", trained_on=what, **where)
    pairs = zip(found[FILLED], found[OVERSAMPLED], strict=True)
    gains = [filled.astype(np.int8) - oversampled for filled, oversampled in pairs]
    rows += task.rows(gains, task.test.label, "accuracy_gain", **where)
    of_class = dict(zip(task.data.class_names, counts.tolist(), strict=True))
    total = int(counts.sum())
    return [row | {"generator_examples": of_class.get(row.get("class"), total)} for row in rows]


def _oversampled(real: Labelled, counts: Int64[np.ndarray, " classes"]) -> Labelled:
    """Takes the examples of each class again and again, as many as the largest class has."""
    of_class = [np.flatnonzero(real.label == number) for number in range(len(counts))]
    again = np.arange(counts.max())
    return real.at(np.concatenate([positions[again % len(positions)] for positions in of_class]))


def _weights(counts: Int64[np.ndarray, " classes"]) -> tuple[float, ...]:
    """Returns weights inversely proportional to the numbers, with mean 1 over all examples."""
    return tuple((counts.sum() / (len(counts) * counts)).tolist())
