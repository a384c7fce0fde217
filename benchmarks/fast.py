"""Compares the fast recipe with the reference: score against training time.

    gan-jax train experiments/dcgan_mnist.py --workdir runs/reference --evaluate-every 1172
    gan-jax train experiments/mnist_fast.py --workdir runs/fast --seeds 0:5
    PYTHONPATH=. python benchmarks/fast.py runs/reference runs/fast

(the first also with --evaluate-samples 10000). Scores are taken from the runs. Times are numbers of
steps times the time of a step, which is measured here with both recipes taking turns, so that they
do not depend on what else the machine did during the runs. Start, compilation and evaluation are
not included.
"""

import statistics
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np
import tyro
from seeds import in_turns, runner

from gan_jax import runs
from gan_jax.evaluation.during_training import own_rows
from gan_jax.experiment import Experiment
from gan_jax.metrics.estimate import of_mean
from gan_jax.metrics.names import METRICS
from gan_jax.runtime import devices

SHOWN = {"frechet_distance": "Frechet distance", "score_ratio": "classifier score ratio"}
STEPS = {"reference": 16, "fast": 200}  # of a turn

Curve = dict[int, list[float]]  # step -> values of the seeds


def main(
    reference: tyro.conf.Positional[Path],
    fast: tyro.conf.Positional[Path],
    /,
    picture: Path = Path("docs/images/fast_recipe.png"),
    rounds: int = 5,
) -> None:
    """Prints a table and plots the curves.

    Args:
        reference: run directory of the reference.
        fast: directory of the seeds of the fast recipe.
        picture: file for the plot.
        rounds: how often each is timed.
    """
    paths = {"reference": _going(reference), "fast": _going(fast)}
    curves = {
        name: {metric: _curve(found, metric) for metric in SHOWN} for name, found in paths.items()
    }
    experiments = {name: runs.open_directory(found[0])[1] for name, found in paths.items()}
    times = _seconds_of_a_step(experiments, rounds)
    seconds = {name: statistics.median(found) for name, found in times.items()}
    fewer = experiments["reference"].total_steps() / experiments["fast"].total_steps()
    ratios = [
        fewer * theirs / ours
        for theirs, ours in zip(times["reference"], times["fast"], strict=True)
    ]
    print(
        f"{devices.cores()} cores, JAX {jax.__version__}; training time of the reference over that "
        f"of the fast recipe: {statistics.median(ratios):.1f}, {min(ratios):.1f} to "
        f"{max(ratios):.1f}\n"
    )
    print("| | step | ms a step | minutes | Frechet distance | score ratio |")
    print("|---|---|---|---|---|---|")
    for name, of_metrics in curves.items():
        for step in of_metrics["frechet_distance"]:
            scores = [_shown(metric, of_metrics[metric][step]) for metric in SHOWN]
            minutes = f"{step * seconds[name] / 60:.1f}"
            row = [name, f"{step:,}", f"{1000 * seconds[name]:.1f}", minutes, *scores]
            print(f"| {' | '.join(row)} |")
    _draw(curves, seconds, picture)


def _going(directory: Path) -> list[Path]:
    """Returns the runs of all seeds that have not diverged."""
    found = runs.all_seeds(directory)
    return [path for path in found if not runs.RunDirectory(path).divergence.exists()]


def _seconds_of_a_step(experiments: dict[str, Experiment], rounds: int) -> dict[str, list[float]]:
    running = {name: runner(each, "map", 1, STEPS[name]) for name, each in experiments.items()}
    times = in_turns(running, rounds)
    return {name: [seconds / STEPS[name] for seconds in found] for name, found in times.items()}


def _curve(paths: list[Path], metric: str) -> Curve:
    """Returns the metric of each seed at the steps at which all seeds were evaluated."""
    curve: Curve = {}
    for path in paths:
        directory, experiment = runs.open_directory(path)
        for row in own_rows(directory, experiment):
            if row["metric"] == metric and row["value"] is not None:
                curve.setdefault(row["step"], []).append(row["value"])
    return {step: values for step, values in curve.items() if len(values) == len(paths)}


def _shown(metric: str, values: list[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.3g}"
    mean = of_mean(np.array(values)).clipped(*METRICS[metric].possible)
    return f"{mean.value:.3g} ({mean.low:.3g} to {mean.high:.3g})"


def _draw(curves: dict[str, dict[str, Curve]], seconds: dict[str, float], picture: Path) -> None:
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.2))
    for axes, (metric, title) in zip(panels, SHOWN.items(), strict=True):
        for name, color in (("reference", "tab:gray"), ("fast", "tab:green")):
            curve = curves[name][metric]
            minutes = [step * seconds[name] / 60 for step in curve]
            for of_seed in zip(*curve.values(), strict=True):
                axes.plot(minutes, of_seed, ".-", color=color, linewidth=0.8, alpha=0.6)
            means = [np.mean(values) for values in curve.values()]
            axes.plot(minutes, means, color=color, label=name)
        axes.set_xscale("log")
        axes.set_xlabel("minutes of training")
        axes.set_title(title, fontsize=10)
    panels[0].set_yscale("log")
    panels[0].legend()
    figure.tight_layout()
    figure.savefig(picture, dpi=100)


if __name__ == "__main__":
    tyro.cli(main)
