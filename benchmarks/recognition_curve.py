"""Draws what samples add to a classifier, by how many real examples it has beside them.

    gan-jax recognise runs/few_digits_sweep --per-class 50
    python benchmarks/recognition_curve.py runs/few_digits_sweep --out curve.png

Reads what `gan-jax recognise --per-class` has measured of the last step of runs, and prints and
draws the mean accuracy over runs for each number of real examples, with its 95 % interval over them
(Student's t). Runs whose generator had more real examples than the classifiers have panels of their
own, by how many these were.
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
from gan_jax.runs import all_seeds, open_directory
from gan_jax.sweeps import plan

METRICS_OF_FEW = ("accuracy", "accuracy_gain")
BASIS = ("features", "features_sha256", "drawn", "key")  # how rows have been measured


class Point(NamedTuple):
    """What is averaged: the accuracies of one kind of training at one number of examples."""

    seen: int  # examples by the generator; 0 for those of the classifiers
    per_class: int
    trained_on: str


def main(
    paths: Annotated[Positional[tuple[Path, ...]], tyro.conf.arg(metavar="DIR ...")],
    /,
    *,
    out: Path | None = None,
) -> None:
    """Prints a table.

    Args:
        paths: runs, directories of seeds, or sweeps that `gan-jax recognise` has measured.
        out: .png file of the figure.
    """
    values: dict[Point, list[float]] = defaultdict(list)
    bases = set()
    try:
        found = [
            run for path in paths for each in plan.directories(path) for run in all_seeds(each)
        ]
        for path in found:
            directory, experiment = open_directory(path)
            rows = [row for row in read_rows(directory.recognition) if "class" not in row]
            rows = [row for row in rows if row["metric"] in METRICS_OF_FEW and "per_class" in row]
            if not rows:
                sys.exit(f"{path} has not been measured: gan-jax recognise {path} --per-class 50")
            last = max(row["step"] for row in rows)
            rows = [row for row in rows if row["step"] == last]
            bases |= {tuple(row.get(name) for name in BASIS) for row in rows}
            for row in rows:
                values[_point(row, experiment.data.classes)].append(row["value"])
    except RequestError as error:
        sys.exit(str(error))
    if len(bases) > 1:
        sys.exit(f"measured in several ways ({', '.join(BASIS)}): {sorted(bases, key=str)}")
    points = {point: _mean(point, found) for point, found in sorted(values.items())}
    print("| the generator has seen | of each class | trained on | runs | accuracy |")
    print("|---|---|---|---|---|")
    for point, mean in points.items():
        interval = f"{mean.value:.1%} ({mean.low:.1%} to {mean.high:.1%})"
        seen = f"{point.seen:,} examples" if point.seen else "the same examples"
        of = f"{seen} | {point.per_class} | {point.trained_on}"
        print(f"| {of} | {len(values[point])} | {interval} |")
    if out:
        draw(points, out)


def draw(points: dict[Point, Estimate], path: Path) -> None:
    """Draws a panel for each number of real examples that generators have seen."""
    import matplotlib.pyplot as plt

    generators = sorted({point.seen for point in points})
    shape = {"figsize": (4.5 * len(generators), 3.8), "sharey": True, "squeeze": False}
    numbers_of_all = sorted({point.per_class for point in points})
    figure, (panels,) = plt.subplots(1, len(generators), **shape)
    for panel, seen in zip(panels, generators, strict=True):
        for shift, trained_on in enumerate((REAL, AUGMENTED, GENERATED, BOTH)):
            of = {
                point.per_class: mean
                for point, mean in points.items()
                if (point.seen, point.trained_on) == (seen, trained_on)
            }
            if not of:
                continue
            means = np.array([(mean.value, mean.low, mean.high) for mean in of.values()]).T
            numbers = np.array(list(of)) * 1.04**shift  # so that intervals do not hide each other
            reach = np.abs(means[1:] - means[0])
            panel.errorbar(numbers, means[0], reach, marker="o", capsize=3, label=trained_on)
        panel.set_xscale("log")
        panel.set_xlim(0.8 * numbers_of_all[0], 1.4 * numbers_of_all[-1])
        panel.set_xticks(numbers_of_all, map(str, numbers_of_all))
        panel.minorticks_off()
        panel.set_xlabel("real examples of each class")
        of_generator = f"{seen:,} examples" if seen else "the same examples"
        panel.set_title(f"the generator has seen {of_generator}", fontsize=9)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("accuracy on held-out examples")
    panels[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def _point(row: Row, classes: int) -> Point:
    seen, number = row["generator_examples"], row["per_class"]
    trained_on = row.get("trained_on", row["metric"])
    return Point(0 if seen == number * classes else seen, number, trained_on)


def _mean(point: Point, values: list[float]) -> Estimate:
    if len(values) < 2:
        sys.exit(f"give at least two runs with {point.per_class} examples of each class")
    gain = point.trained_on == "accuracy_gain"
    return of_mean(np.array(values)).clipped(-1 if gain else 0, 1)


if __name__ == "__main__":
    tyro.cli(main)
