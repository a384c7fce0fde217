"""What the features of a discriminator are worth to a linear classifier.

    pip install scikit-learn
    python benchmarks/linear_classifier.py runs/quickstart/seed_* --per-class 10 100

After Radford, Metz and Chintala (2016, section 5): what all convolutions of the discriminator give,
before BatchNorm and activation, is max-pooled to 4 x 4 and taken as the features of an image. A
logistic regression (where they have an L2-SVM) on standardised features, whose penalty is chosen by
three-fold cross-validation, learns from a few labelled images of the run's data, and is tested on
the held-out ones. The same is done with the pixels, and with the discriminator before its first
step. Printed is the fraction of the test images in a wrong class, with its 95 % interval over the
runs; each run has labelled images of its own.
"""

import dataclasses
import itertools
import sys
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tyro.conf import Positional

from gan_jax import gan
from gan_jax.common.errors import RequestError
from gan_jax.data.images import Images
from gan_jax.data.sources.choose import choose
from gan_jax.evaluation.of_runs import open_alike
from gan_jax.metrics.estimate import of_mean
from gan_jax.networks.layers import Conv

CELLS = 4  # along each side of a pooled map
BATCH = 500
FOLDS = 3
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # inverse strengths, of which one is chosen


def main(
    paths: Annotated[Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN ...")],
    /,
    *,
    per_class: tuple[int, ...] = (10, 100),
) -> None:
    """Prints a table.

    Args:
        paths: directories of two runs or more of one experiment, each of one seed.
        per_class: numbers of labelled images of each class, at least 3.
    """
    if len(paths) < 2 or min(per_class) < FOLDS:
        sys.exit(f"give two runs or more, and --per-class of at least {FOLDS}")
    try:
        opened = open_alike(paths, "latest", print)
        check(opened[0].experiment.data)
        table(opened, per_class)
    except RequestError as error:
        sys.exit(f"error: {error}")


def check(data):
    """Ends the program where data are not such images."""
    if type(data) is not Images or data.labels or data.held_out() is None:
        sys.exit("the runs must be of images, without labels as conditions, and with a test set")


def table(opened, per_class):
    """Prints the table."""
    errors: dict[tuple[int, str], list[float]] = {}
    for run in opened:
        for (number, name), wrong in measured(run, per_class).items():
            errors.setdefault((number, name), []).append(wrong)
    print("| labelled images of each class | features | wrong | 95 % interval |")
    print("|---|---|---|---|")
    for (number, name), values in sorted(errors.items(), key=lambda item: item[0][0]):
        found = of_mean(np.array(values))
        print(f"| {number} | {name} | {found.value:.2%} | {found.low:.2%} to {found.high:.2%} |")


def measured(run, per_class):
    """Returns the fraction of test images in a wrong class, by number of images and features."""
    experiment, data = run.experiment, run.experiment.data
    examples = dataclasses.replace(data, labels=True).load()
    test = dataclasses.replace(data.held_out(), labels=True).load()
    found = {}
    for name, features in (
        ("pixels", lambda stored: stored.reshape(len(stored), -1) / 127.5 - 1),
        ("untrained discriminator", maps(experiment, gan.init(experiment, experiment.seed))),
        ("discriminator", maps(experiment, run.state)),
    ):
        of_test = features(test.sample)
        for number in per_class:
            chosen = choose(examples, number, experiment.seed)
            classifier = make_pipeline(
                StandardScaler(),
                LogisticRegressionCV(Cs=PENALTIES, cv=FOLDS, scoring="accuracy", max_iter=2000),
            )
            classifier.fit(features(examples.sample[chosen]), examples.label[chosen])
            found[number, name] = float(np.mean(classifier.predict(of_test) != test.label))
    return found


def maps(experiment, state):
    """Returns a function that computes the pooled maps of a discriminator, [count, values]."""
    variables = {"params": state.discriminator.params, **state.discriminator.variables}

    @jax.jit
    def of_batch(stored):
        prepared = experiment.data.prepare({"sample": stored, "label": None})["sample"]
        _, inner = experiment.discriminator.apply(
            variables,
            prepared,
            None,
            training=False,
            capture_intermediates=lambda module, _: isinstance(module, Conv),
        )
        made = jax.tree.leaves(inner.get("intermediates", {}))
        if not made or min(min(each.shape[1:3]) for each in made) < CELLS:
            sys.exit(
                f"the discriminator must have convolutions, and no map below {CELLS} x {CELLS}"
            )
        return jnp.concatenate([pool(each).reshape(len(stored), -1) for each in made], axis=1)

    def of(stored):
        positions = np.minimum(np.arange(-(-len(stored) // BATCH) * BATCH), len(stored) - 1)
        parts = positions.reshape(-1, BATCH)  # of one size, which is compiled once
        return np.concatenate([np.asarray(of_batch(stored[part])) for part in parts])[: len(stored)]

    return of


def pool(of):
    """Returns the largest value in each of 4 x 4 cells of a map."""
    rows, columns = (np.arange(CELLS + 1) * side // CELLS for side in of.shape[1:3])
    cells = [
        of[:, top:bottom, left:right].max(axis=(1, 2))
        for top, bottom in itertools.pairwise(rows)
        for left, right in itertools.pairwise(columns)
    ]
    return jnp.stack(cells, axis=1)


if __name__ == "__main__":
    tyro.cli(main)
