"""Whether samples help with classes of which there are few real examples.

Of data whose classes have different numbers of examples, classifiers learn from the examples as
they are; from these with each example of a rare class taken as often as makes all classes equally
large; with a loss that weighs classes inversely to their numbers; and with samples that fill each
class up to the largest. All are tested on held-out examples.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.common.memory import check_fits
from gan_jax.data.images import Images
from gan_jax.evaluation.of_runs import Evaluation, checkpoints_line
from gan_jax.evaluation.rows import Row
from gan_jax.recognition.classifier_training import Labelled
from gan_jax.recognition.task import Task, draw, enough, sampled_parameters
from gan_jax.sampling import samples

AUGMENTED = "real, augmented"
OVERSAMPLED, WEIGHTED = "oversampled, augmented", "with class weights, augmented"
FILLED = "filled up with samples, augmented"
LABELS = "what fills each class up"  # how the classes of samples are drawn, in a row


def recognise_unbalanced(task: Task, out: Path | None = None) -> Evaluation:
    """Measures runs, and adds rows to recognition.jsonl of each.

    The metric is accuracy, of the field trained_on; accuracy_gain is how much more of the test
    classifiers get right with samples than with oversampling, each against the one of the same
    seed. Each classifier of each run has a seed of its own. The rows of a class have as
    class_examples how many real examples of it there are. Classes without any stay so.

    Args:
        task: the runs, see `open_task`; its number of samples is not used.
        out: .jsonl file for the rows of all runs, instead of the recognition.jsonl of each.

    Raises:
        RequestError: all classes have as many examples, samples are not finite, or too many for
            the memory.
    """
    counts = np.bincount(task.real.label, minlength=task.data.classes)
    there = counts[counts > 0]
    if there.min() == there.max():
        how = "; images.subset(..., per_class=[...]) makes a class rare"
        raise RequestError(
            f"--balance: each class has {there[0]:,} examples, so there is nothing to balance"
            + how * isinstance(task.data, Images)
        )
    balanced = int(there.max()) * len(there) * task.real.sample[0].nbytes
    check_fits("--balance: so many examples as fill all classes", 2 * balanced)
    wanted = _wanted(counts)
    message = f"--balance: {len(wanted)} samples"
    samples.check_memory(task.opened[0].experiment, len(wanted), message, kept=False)
    rows, unrecorded = [], []
    for run in task.opened:
        of_run, failures = task.record(run, _measured(task, run, counts), out)
        rows += of_run
        unrecorded += failures
    rarest = int(np.flatnonzero(counts == there.min())[0])
    facts = (
        f"{task.in_words} for each run, tested on {len(task.test.label):,} held-out examples; "
        "intervals: over classifiers and tests, or of several runs over these, but not over which "
        "examples are the rare ones",
        f"{len(task.real.label):,} real examples, of a class up to {counts.max():,}, of "
        f"{task.data.class_names[rarest]} only {counts[rarest]:,}",
        checkpoints_line(task.opened),
    )
    return Evaluation(facts, tuple(rows), tuple(dict.fromkeys(unrecorded)))


def _measured(task: Task, run: runs.Run, counts: Int64[np.ndarray, " classes"]) -> list[Row]:
    """Trains and tests the classifiers of one run."""
    drawn = draw(task, run, _wanted(counts))
    weighted = replace(task.recipe, class_weights=_weights(counts))
    found = {}
    for what, examples_of, recipe in (
        (AUGMENTED, lambda: task.real, task.recipe),
        (OVERSAMPLED, lambda: _oversampled(task.real, counts), task.recipe),
        (WEIGHTED, lambda: task.real, weighted),
        (FILLED, lambda: _both(task.real, drawn), task.recipe),
    ):
        progress = f"{what}, for {run.directory.path}"
        classifiers = task.fit(enough(examples_of()), progress, recipe, task.seeds_of(run))
        found[what] = [each.right(task.test) for each in classifiers]
    where = {"parameters": sampled_parameters(run), "samples": len(drawn.label)}
    where |= {"real_samples": len(task.test.label), "generator_examples": len(task.real.label)}
    where |= {"drawn": len(drawn.label), "labels": LABELS}
    rows: list[Row] = []
    for what, right in found.items():
        rows += task.rows(right, task.test.label, "accuracy", trained_on=what, **where)
    pairs = zip(found[FILLED], found[OVERSAMPLED], strict=True)
    gains = [filled.astype(np.int8) - oversampled for filled, oversampled in pairs]
    rows += task.rows(gains, task.test.label, "accuracy_gain", **where)
    numbers = dict(zip(task.data.class_names, counts.tolist(), strict=True))
    return [
        row | {"class_examples": numbers[row["class"]]} if "class" in row else row for row in rows
    ]


def _wanted(counts: Int64[np.ndarray, " classes"]) -> Int64[np.ndarray, " samples"]:
    """Returns the classes of samples that fill each class up to the largest."""
    return np.repeat(np.arange(len(counts)), np.where(counts > 0, counts.max() - counts, 0))


def _both(real: Labelled, drawn: Labelled) -> Labelled:
    return Labelled(*map(np.concatenate, zip(real, drawn, strict=True)))


def _oversampled(real: Labelled, counts: Int64[np.ndarray, " classes"]) -> Labelled:
    """Takes the examples of each class again and again, as many as the largest class has."""
    of_class = [np.flatnonzero(real.label == number) for number in np.flatnonzero(counts)]
    again = np.arange(counts.max())
    return real.at(np.concatenate([positions[again % len(positions)] for positions in of_class]))


def _weights(counts: Int64[np.ndarray, " classes"]) -> tuple[float, ...]:
    """Returns weights inversely proportional to the numbers, with mean 1 over all examples."""
    equal = counts.sum() / np.count_nonzero(counts)
    return tuple((equal / np.maximum(counts, 1)).tolist())
