"""Draws what samples add to a classifier, by how many real examples it has beside them.

    gan-jax recognise runs/few_digits/* --per-class 50
    python benchmarks/recognition_curve.py runs/few_digits/* --out curve.png

Reads what `gan-jax recognise --per-class` has measured of some runs, and prints and draws the mean
accuracy over runs for each number of real examples, with its 95 % interval over them (Student's t).
Runs whose generator had more real examples than the classifiers have panels of their own, by how
many these were.
"""

import sys
from collections import defaultdict
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import tyro
from tyro.conf import Positional

from gan_jax.common.errors import RequestError
from gan_jax.evaluation.rows import Row, read_rows
from gan_jax.metrics.estimate import Estimate, of_mean
from gan_jax.recognition.few_examples import AUGMENTED, BOTH, GENERATED, REAL
from gan_jax.runs import open_directory

SAME = "the same examples"


class Point(NamedTuple):
    """What is averaged: the accuracies of one kind of training at one number of examples."""

    generator: str
    per_class: int
    trained_on: str


def main(
    paths: Annotated[Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN ...")],
    /,
    *,
    out: Path | None = None,
) -> None:
    """Prints a table.

    Args:
        paths: runs that `gan-jax recognise --per-class` has measured.
        out: .png file of the figure.
    """
    values: dict[Point, list[float]] = defaultdict(list)
    for path in paths:
        try:
            directory, experiment = open_directory(path)
        except RequestError as error:
            sys.exit(str(error))
        rows = [row for row in read_rows(directory.recognition) if "class" not in row]
        rows = [row for row in rows if row["metric"] in ("accuracy", "accuracy_gain")]
        if not (rows := [row for row in rows if "per_class" in row]):
            sys.exit(f"{path} has not been measured: gan-jax recognise {path} --per-class 50")
        for row in rows:
            values[_point(row, experiment.data.classes)].append(row["value"])
    points = {point: _mean(found) for point, found in sorted(values.items())}
    print("| the generator has seen | of each class | trained on | runs | accuracy |")
    print("|---|---|---|---|---|")
    for point, mean in points.items():
        interval = f"{mean.value:.1%} ({mean.low:.1%} to {mean.high:.1%})"
        of = f"{point.generator} | {point.per_class} | {point.trained_on}"
        print(f"| {of} | {len(values[point])} | {interval} |")
    if out:
        draw(points, out)


def draw(points: dict[Point, Estimate], path: Path) -> None:
    """Draws a panel for each number of real examples that generators have seen."""
    import matplotlib.pyplot as plt

    generators = sorted({point.generator for point in points}, reverse=True)
    shape = {"figsize": (4.5 * len(generators), 3.8), "sharey": True, "squeeze": False}
    figure, (panels,) = plt.subplots(1, len(generators), **shape)
    for panel, generator in zip(panels, generators, strict=True):
        for shift, trained_on in enumerate((REAL, AUGMENTED, GENERATED, BOTH)):
            of = {
                p.per_class: mean for p, mean in points.items() if p[::2] == (generator, trained_on)
            }
            if not of:
                continue
            means = np.array([(mean.value, mean.low, mean.high) for mean in of.values()]).T
            numbers = np.array(list(of)) * 1.04**shift  # so that intervals do not hide each other
            reach = np.abs(means[1:] - means[0])
            panel.errorbar(numbers, means[0], reach, marker="o", capsize=3, label=trained_on)
        panel.set_xscale("log")
        panel.set_xlabel("real examples of each class")
        panel.set_title(f"the generator has seen {generator}", fontsize=9)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("accuracy on held-out examples")
    panels[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def _point(row: Row, classes: int) -> Point:
    seen, number = row["generator_examples"], row["per_class"]
    generator = SAME if seen == number * classes else f"{seen:,} examples"
    return Point(generator, number, row.get("trained_on", row["metric"]))


def _mean(values: list[float]) -> Estimate:
    if len(values) < 2:
        sys.exit("give at least two runs for each number of real examples")
    return of_mean(np.array(values))


if __name__ == "__main__":
    tyro.cli(main)
