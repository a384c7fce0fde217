"""What classifiers of runs are trained on and tested with: real examples, and samples."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int32, Integer, Shaped

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.common.memory import check_fits
from gan_jax.common.progress import announced
from gan_jax.data.audio import Audio
from gan_jax.data.dataset import in_short
from gan_jax.data.images import Images
from gan_jax.evaluation.evaluator import how_drawn
from gan_jax.evaluation.of_runs import open_alike, recorded
from gan_jax.evaluation.rows import OF_HELD_OUT, Row
from gan_jax.experiment import Experiment
from gan_jax.metrics.estimate import of_repetitions
from gan_jax.metrics.names import METRICS
from gan_jax.networks.classifier import Classifier
from gan_jax.recognition import classifier_training, trained
from gan_jax.recognition.classifier_training import Labelled, Recipe, labelled
from gan_jax.recognition.trained import Trained
from gan_jax.sampling import samples

MOST_SEEDS = 2**16  # of runs, whose classifiers have seeds of their own
FIRST = 256  # samples that are drawn before anything is trained, to see whether they are finite


@dataclass(frozen=True, eq=False)
class Task:
    """Runs that differ only in their seed, and real examples with labels.

    Attributes:
        opened: the runs.
        data: their data.
        real: what they were trained on.
        test: held-out examples.
        test_data: describe these.
        count: of samples of each run.
        key: seed of their latents and classes.
        recipe: how classifiers are trained.
        classifiers: how many on each kind of examples.
    """

    opened: list[runs.Run]
    data: Images | Audio
    real: Labelled
    test: Labelled
    test_data: Images | Audio
    count: int
    key: int
    recipe: Recipe
    classifiers: int

    @property
    def in_words(self) -> str:
        """How accuracies are measured."""
        return f"{self.classifiers} classifiers of {self.recipe.steps:,} steps"

    def fit(
        self,
        examples: Labelled | Sequence[Labelled],
        what: str,
        recipe: Recipe | None = None,
        seeds: Sequence[int] | None = None,
    ) -> list[Trained]:
        """Trains one classifier of each seed.

        Args:
            examples: the same for all, or those of each.
            what: the examples are, for a line of progress.
            recipe: that of the task if None.
            seeds: 0, 1, ... if None.
        """
        seeds = range(self.classifiers) if seeds is None else seeds
        of_each = [examples] * len(seeds) if isinstance(examples, Labelled) else examples
        pairs = announced(zip(of_each, seeds, strict=True), len(seeds), f"Training on {what}")
        recipe = recipe or self.recipe
        return [trained.fit(self.data, each, recipe, seed) for each, seed in pairs]

    def seeds_of(self, run: runs.Run) -> range:
        """Returns seeds for the classifiers of one run: others than those of runs near its seed."""
        first = run.experiment.seed % MOST_SEEDS * self.classifiers
        return range(first, first + self.classifiers)

    def labels(self) -> Int32[np.ndarray, " count"]:
        """Returns classes for the samples: each as often as the data have it, or in that ratio."""
        shuffled = np.random.default_rng(self.key).permutation(self.real.label)
        return shuffled[np.arange(self.count) % len(shuffled)]

    def rows(
        self,
        right: Sequence[Shaped[np.ndarray, " tests"]],
        label: Int32[np.ndarray, " tests"],
        metric: str,
        **fields: str | int,
    ) -> list[Row]:
        """Makes a row of the mean over classifiers and tests, and one of each class.

        Args:
            right: of each classifier, whether it was right, or by how much more it was.
            label: of the tests.
            metric: what this is called.
            fields: are added to each row.
        """
        values = np.stack(right).astype(np.float64)
        parts = {None: np.ones(len(label), bool)}
        parts |= {name: label == number for number, name in enumerate(self.data.class_names)}
        rows: list[Row] = []
        for name, part in parts.items():
            if part.any():
                possible = METRICS[metric].possible
                found = of_repetitions(values[:, part], possible == (0, 1)).clipped(*possible)
                interval = {"value": found.value, "low": found.low, "high": found.high}
                row = {"metric": metric} | interval | fields
                rows.append(row if name is None else row | {"class": name})
        return rows

    def record(
        self, run: runs.Run, rows: Sequence[Row], out: Path | None
    ) -> tuple[list[Row], list[str]]:
        """Adds rows of a run to its recognition.jsonl, or to `out`.

        Returns:
            The rows with all their fields, and why they could not be recorded, if so.
        """
        basis: dict[str, Any] = {
            "step": int(run.state.step),
            "seed": run.experiment.seed,
            **how_drawn(run.experiment, self.count, self.key),
            "features": self.in_words,
            "features_sha256": _hash(self.recipe),
            "split": self.data.split,
        }
        if out:
            basis["run"] = str(run.directory.path)
        tested_on = {"held_out": self.test_data.fingerprint()}
        whole = [basis | row | (tested_on if row["metric"] in OF_HELD_OUT else {}) for row in rows]
        return whole, recorded(out or run.directory.recognition, whole)


def open_task(
    paths: Sequence[Path],
    count: int | None = None,
    step: runs.Step = "latest",
    classifiers: int = 3,
    classifier_steps: int = 2000,
    key: int = 0,
    announce: Callable[[str], None] = print,
) -> Task:
    """Opens runs that differ only in their seed, for the functions that measure a task.

    Args:
        paths: run directories.
        count: how many samples of each run; None for as many as it was trained on.
        step: which checkpoint.
        classifiers: how many are trained on each kind of examples, at least 2.
        classifier_steps: of the training of each, at least 1.
        key: seed of the latents and of the classes, see `sampling.draw`.
        announce: is told what is left out, and why.

    Raises:
        RequestError: a run or checkpoint does not exist; the runs differ in more than the seed;
            samples have no label, or no labelled examples are held out; a classifier does not take
            the data; samples are not finite, or too many for the memory.
    """
    if classifiers < 2 or classifier_steps < 1:
        raise RequestError(
            f"{classifiers} classifiers of {classifier_steps} steps: must be at least 2 and 1"
        )
    opened = open_alike(paths, step, announce)
    experiment = opened[0].experiment
    data, test_data = experiment.data, _held_out(experiment, paths[0])
    real, test = labelled(data), labelled(test_data)
    count = len(real.label) if count is None else count
    samples.check_memory(experiment, count, f"samples = {count}", kept=False)
    bytes_of_one = math.prod(data.stored.shape) * np.dtype(data.stored.dtype).itemsize
    check_fits(f"samples = {count}: so many samples", 2 * count * bytes_of_one)
    recipe = Recipe(Classifier(classes=data.classes), classifier_steps)
    task = Task(opened, data, real, test, test_data, count, key, recipe, classifiers)
    for run in opened:
        draw(task, run, task.labels()[:FIRST])
    return task


def draw(task: Task, run: runs.Run, labels: Integer[np.ndarray, " count"]) -> Labelled:
    """Draws a sample of each of these classes, as it would be stored.

    Raises:
        RequestError: they are not finite.
    """
    labels = labels.astype(np.int32)
    latents = samples.draw_latents(run.experiment, task.key, len(labels))
    parts = samples.in_parts(run.experiment, run.state, latents, labels=labels)
    stored = []
    for drawn in announced(parts, samples.count_parts(len(labels)), "Drawing samples, in parts"):
        if not np.isfinite(drawn).all():
            raise RequestError(
                f"{run.directory.path}: the samples of step {run.state.step} are not finite; "
                "choose an earlier checkpoint with --step"
            )
        stored.append(task.data.to_stored(drawn))
    return Labelled(np.concatenate(stored), labels)


def enough(examples: Labelled) -> Labelled:
    """Returns examples that fill a batch, if need be by taking them again and again.

    Classifiers that are compared then take batches of the same size.
    """
    count = len(examples.label)
    if count >= classifier_training.BATCH:
        return examples
    return examples.at(np.arange(classifier_training.BATCH) % count)


def sampled_parameters(run: runs.Run) -> str:
    """Returns which parameters samples are drawn with, as rows name them."""
    return "raw" if run.state.ema is None else "ema"


def _held_out(experiment: Experiment, path: Path) -> Images | Audio:
    """Describes the held-out examples, if a classifier can be trained and tested."""
    data = experiment.data
    if not data.labels:
        raise RequestError(
            f"{path} was trained without labels, so that nothing says which class a sample is "
            "meant to show: only runs that are conditioned on labels can be measured"
        )
    if len(data.sample_shape) != 3:
        shape = ", ".join(map(str, data.sample_shape))
        raise RequestError(
            f"{path} makes samples of shape [{shape}]; classifiers take images and spectrograms"
        )
    if data.classes < 2:
        raise RequestError(f"the data of {path} have only one class")
    held_out = data.held_out()
    if held_out is None:
        raise RequestError(
            f"the data of {path} have no held-out examples to test classifiers on: a folder has "
            "them as a folder 'test' beside its folder 'train', recordings as held_out=..., and "
            "data sets of tensorflow-datasets as the split 'test'"
        )
    if held_out.class_names != data.class_names:
        raise RequestError(
            f"the data of {path} have the classes {in_short(data.class_names)}, and their "
            f"held-out examples {in_short(held_out.class_names)}"
        )
    return held_out


def _hash(recipe: Recipe) -> str:
    """Identifies how classifiers are trained, so that those of other versions are not compared."""
    others = (
        classifier_training.BATCH,
        classifier_training.TURN,
        classifier_training.SCALE,
        classifier_training.SHIFT,
    )
    return hashlib.sha256(repr((recipe, others)).encode()).hexdigest()
