"""What the samples of runs are worth to classifiers, beside as many real examples.

A classifier that is trained on samples and tested on real examples is right as often as what
Ravuri and Vinyals (2019) call the classification accuracy score, and Shmelkov, Schmid and Alahari
(2018) GAN-train, says: seldom where samples look wrong, vary too little or show another class than
they were meant to. The latter's GAN-test is the reverse, training on real examples and testing on
samples: it is low where samples look wrong, but not where they are all the same.
"""

from collections.abc import Sequence
from pathlib import Path

from gan_jax.data.order import batch_indices
from gan_jax.evaluation.of_runs import Evaluation, checkpoints_line
from gan_jax.evaluation.rows import Row
from gan_jax.recognition.classifier_training import Labelled
from gan_jax.recognition.task import Task, draw, sampled_parameters
from gan_jax.recognition.trained import Trained


def recognise_runs(task: Task, out: Path | None = None) -> Evaluation:
    """Measures runs, and adds rows to recognition.jsonl of each.

    The metrics are gan_train and gan_test; gan_train of parameters "real" is the accuracy after
    training on as many real examples, and the classifiers of gan_test have seen all of them. Each
    is the mean over classifiers of seeds 0, 1, ...; intervals are for other classifiers and other
    test examples, and not for other samples. Rows with the field "class" are of that class alone.

    Args:
        task: the runs, see `open_task`.
        out: .jsonl file for the rows of all runs, instead of the recognition.jsonl of each.

    Raises:
        RequestError: samples are not finite.
    """
    there = len(task.real.label)
    as_many = task.real
    if there > task.count:
        as_many = as_many.at(batch_indices(there, seed=0, step=0, batch_size=task.count))
    of_as_many = of_all = task.fit(as_many, f"{len(as_many.label):,} real examples")
    if there > task.count:
        of_all = task.fit(task.real, f"all {there:,} real examples")
    rows, unrecorded = [], []
    ceiling = _tested(task, of_as_many, "gan_train", "real", as_many, task.test)
    for run in task.opened:
        drawn, who = draw(task, run, task.labels()), sampled_parameters(run)
        of_drawn = task.fit(drawn, f"samples of {run.directory.path}")
        gan_train = _tested(task, of_drawn, "gan_train", who, drawn, task.test)
        gan_test = _tested(task, of_all, "gan_test", who, task.real, drawn)
        of_run, failures = task.record(run, [*gan_train, *gan_test, *ceiling], out)
        rows += of_run
        unrecorded += failures
    facts = (
        f"{task.in_words}; gan_train: trained on {task.count:,} samples, or on "
        f"{len(as_many.label):,} real examples, tested on {len(task.test.label):,} held-out ones; "
        f"gan_test: trained on {there:,} real examples, tested on samples",
        checkpoints_line(task.opened),
    )
    return Evaluation(facts, tuple(rows), tuple(dict.fromkeys(unrecorded)))


def _tested(
    task: Task,
    of: Sequence[Trained],
    metric: str,
    parameters: str,
    training: Labelled,
    test: Labelled,
) -> list[Row]:
    """Makes the rows of some classifiers."""
    drawn, real = (training, test) if metric == "gan_train" else (test, training)
    return task.rows(
        [each.right(test) for each in of],
        test.label,
        metric,
        parameters=parameters,
        samples=len(drawn.label),
        real_samples=len(real.label),
    )
