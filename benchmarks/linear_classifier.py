"""What the features of a discriminator are worth to a linear classifier.

    pip install scikit-learn
    python benchmarks/linear_classifier.py runs/quickstart/seed_* --per-class 10 100

After Radford, Metz and Chintala (2016, section 5.1): the maps of all convolutions of the
discriminator, of which each is max-pooled to 4 x 4, are the features of an image. A logistic
regression (where they have an L2-SVM) on standardised features, whose penalty is chosen by
three-fold cross-validation, learns from a few labelled images of the run's data, and is tested on
the held-out ones. The same is done with the pixels, and with the discriminator before its first
step. Printed is the fraction of the test images in a wrong class, with its 95 % interval over the
runs; each run has labelled images of its own.
"""

import dataclasses
import itertools
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

from gan_jax import gan, runs
from gan_jax.data.sources.choose import choose
from gan_jax.metrics.estimate import of_mean
from gan_jax.networks.layers import Conv

CELLS = 4  # along each side of a pooled map
BATCH = 500
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # inverse strengths, of which one is chosen


def main(
    paths: Annotated[Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN ...")],
    /,
    *,
    per_class: tuple[int, ...] = (10, 100),
) -> None:
    """Prints a table.

    Args:
        paths: directories of runs of one experiment, two or more, each of one seed.
        per_class: numbers of labelled images of each class.
    """
    errors: dict[tuple[int, str], list[float]] = {}
    for path in paths:
        run = runs.load(path)
        experiment = dataclasses.replace(
            run.experiment, data=dataclasses.replace(run.experiment.data, labels=True)
        )
        examples, test = experiment.data.load(), experiment.data.held_out().load()
        unconditional = run.experiment
        untrained = gan.init(unconditional, unconditional.seed)
        for number in per_class:
            chosen = choose(examples, number, unconditional.seed)
            for name, features in (
                ("pixels", pixels),
                (
                    "untrained discriminator",
                    lambda of, e=unconditional, s=untrained: maps(e, s, of),
                ),
                ("discriminator", lambda of, e=unconditional, s=run.state: maps(e, s, of)),
            ):
                classifier = make_pipeline(
                    StandardScaler(), LogisticRegressionCV(Cs=PENALTIES, cv=3, max_iter=2000)
                )
                classifier.fit(features(examples.sample[chosen]), examples.label[chosen])
                wrong = np.mean(classifier.predict(features(test.sample)) != test.label)
                errors.setdefault((number, name), []).append(float(wrong))
    print("| labelled images of each class | features | wrong | 95 % interval |")
    print("|---|---|---|---|")
    for (number, name), values in errors.items():
        found = of_mean(np.array(values))
        print(f"| {number} | {name} | {found.value:.2%} | {found.low:.2%} to {found.high:.2%} |")


def pixels(stored):
    """Returns the values of all pixels, [count, values]."""
    return stored.reshape(len(stored), -1) / 127.5 - 1


def maps(experiment, state, stored):
    """Returns the pooled maps of all convolutions of a discriminator, [count, values]."""
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
        pooled = [pool(each) for each in jax.tree.leaves(inner["intermediates"])]
        return jnp.concatenate([each.reshape(len(stored), -1) for each in pooled], axis=1)

    parts = np.array_split(stored, max(1, len(stored) // BATCH))
    return np.concatenate([np.asarray(of_batch(part)) for part in parts])


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
