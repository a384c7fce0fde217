"""What the samples of runs are worth to classifiers, beside real examples.

A classifier that is trained on samples and tested on real examples is right as often as what
Ravuri and Vinyals (2019) call the classification accuracy score, and Shmelkov, Schmid and Alahari
(2018) GAN-train, says: seldom where samples look wrong, vary too little or show another class than
they were meant to. The latter's GAN-test is the reverse, training on real examples and testing on
samples: it is low where samples look wrong, but not where they are all the same.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.common.progress import announced
from gan_jax.data.audio import Audio
from gan_jax.data.images import Images
from gan_jax.data.order import batch_indices
from gan_jax.evaluation.evaluator import how_drawn
from gan_jax.evaluation.of_runs import Evaluation, checkpoints_line, open_alike, recorded
from gan_jax.evaluation.rows import Row
from gan_jax.experiment import Experiment
from gan_jax.metrics.estimate import of_mean
from gan_jax.networks.classifier import Classifier
from gan_jax.recognition import accuracy
from gan_jax.recognition.accuracy import Accuracy, Trained
from gan_jax.recognition.classifier_training import Labelled, Recipe
from gan_jax.sampling import samples


def recognise_runs(
    paths: Sequence[Path],
    count: int | None = None,
    step: runs.Step = "latest",
    classifiers: int = 3,
    classifier_steps: int = 2000,
    key: int = 0,
    announce: Callable[[str], None] = print,
    out: Path | None = None,
) -> Evaluation:
    """Measures runs that differ only in their seed, and adds rows to recognition.jsonl of each.

    The metrics are gan_train and gan_test; gan_train of parameters "real" is the accuracy after
    training on as many real examples. Each is the mean over classifiers of seeds 0, 1, ..., with
    the interval of that mean. Rows with the field "class" are of that class alone.

    Args:
        paths: run directories.
        count: how many samples of each run; None for as many as it was trained on.
        step: which checkpoint.
        classifiers: how many are trained on the samples of each run, and on real examples; at
            least 2.
        classifier_steps: of the training of each.
        key: seed of the latents, see `sampling.draw`.
        announce: is told what is left out, and why.
        out: .jsonl file for the rows of all runs, instead of the recognition.jsonl of each.

    Raises:
        RequestError: there is no run, or no such checkpoint; the runs differ in more than the seed;
            samples have no label, or there are no held-out examples with labels; a classifier does
            not take the data; samples are not finite.
    """
    opened = open_alike(paths, step, announce)
    experiment = opened[0].experiment
    held_out = _held_out(experiment, paths[0])
    data, names = experiment.data, experiment.data.class_names
    real, test = (Labelled(found.sample, found.label) for found in (data.load(), held_out.load()))
    count = count or len(real.label)
    samples.check_memory(experiment, count, f"samples = {count}", kept=True)
    if len(real.label) > count:
        real = real.at(batch_indices(len(real.label), seed=0, step=0, batch_size=count))
    elif len(real.label) < count:
        announce(f"beside {count:,} samples: all {len(real.label):,} real examples")
    recipe = Recipe(Classifier(classes=data.classes), classifier_steps)

    def train(examples: Labelled, of: str) -> list[Trained]:
        """Trains one classifier of each seed."""
        what = f"Training classifiers on {of}"
        seeds = announced(range(classifiers), classifiers, what)
        return [accuracy.train(data, examples, recipe, seed) for seed in seeds]

    of_real = train(real, "real examples")
    basis = {
        "features": f"of {classifiers} classifiers, {classifier_steps:,} steps each",
        "features_sha256": "",
        "split": data.split,
        "held_out": held_out.fingerprint(),
    }
    ceiling = _rows("gan_train", names, [each.accuracy(test) for each in of_real])
    ceiling = [row | _sizes(real, test) | {"parameters": "real"} for row in ceiling]
    rows, unrecorded = [], []
    for run in opened:
        drawn = _drawn(run, count, key)
        of_drawn = train(drawn, f"samples of {run.directory.path}")
        gan_train = _rows("gan_train", names, [each.accuracy(test) for each in of_drawn])
        gan_test = _rows("gan_test", names, [each.accuracy(drawn) for each in of_real])
        of_samples = [row | _sizes(drawn, test) for row in gan_train]
        of_samples += [row | _sizes(drawn, real) for row in gan_test]
        parameters = {"parameters": "raw" if run.state.ema is None else "ema"}
        source = {"step": int(run.state.step), "seed": run.experiment.seed}
        source |= how_drawn(run.experiment, count, key) | basis
        if out:
            source["run"] = str(run.directory.path)
        of_run = [row | source for row in [*(row | parameters for row in of_samples), *ceiling]]
        unrecorded += recorded(out or run.directory.recognition, of_run)
        rows += of_run
    facts = (
        f"accuracies {basis['features']}; gan_train: trained on samples, or on as many real "
        f"examples, tested on {len(test.label):,} held-out ones; gan_test: trained on real "
        "examples, tested on samples",
        checkpoints_line(opened),
    )
    return Evaluation(facts, tuple(rows), tuple(dict.fromkeys(unrecorded)))


def _held_out(experiment: Experiment, path: Path) -> Images | Audio:
    """Describes the held-out examples, if a classifier can be trained and tested."""
    data = experiment.data
    if not data.labels:
        raise RequestError(
            f"{path} was trained without labels, so that nothing says which class a sample is "
            "meant to show: data have them with labels=True"
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
        raise RequestError(f"the data of {path} have no held-out examples to test classifiers on")
    if held_out.class_names != data.class_names:
        raise RequestError(
            f"the data of {path} have the classes {', '.join(data.class_names)}, and their "
            f"held-out examples {', '.join(held_out.class_names)}"
        )
    return held_out


def _drawn(run: runs.Run, count: int, key: int) -> Labelled:
    """Draws samples, of classes as often as the data have them, as they would be stored."""
    experiment = run.experiment
    labels = samples.draw_labels(experiment, key, count)
    latents = samples.draw_latents(experiment, key, count)
    parts = samples.in_parts(experiment, run.state, latents, labels=labels)
    stored = []
    for drawn in announced(parts, samples.count_parts(count), "Drawing samples, in parts"):
        if not np.isfinite(drawn).all():
            raise RequestError(
                f"{run.directory.path}: the samples of step {run.state.step} are not finite; "
                "choose an earlier checkpoint with --step"
            )
        stored.append(experiment.data.to_stored(drawn))
    return Labelled(np.concatenate(stored), labels)


def _rows(metric: str, class_names: Sequence[str], found: Sequence[Accuracy]) -> list[Row]:
    """Makes a row of all classes together, and one of each class that was tested."""
    values = np.array([[each.overall, *each.of_class] for each in found]).T
    rows: list[Row] = []
    for name, of_classifiers in zip((None, *class_names), values, strict=True):
        if np.isfinite(of_classifiers).all():
            mean = of_mean(of_classifiers).clipped(0, 1)
            row = {"metric": metric, "value": mean.value, "low": mean.low, "high": mean.high}
            rows.append(row if name is None else row | {"class": name})
    return rows


def _sizes(measured: Labelled, real: Labelled) -> dict[str, int]:
    return {"samples": len(measured.label), "real_samples": len(real.label)}
