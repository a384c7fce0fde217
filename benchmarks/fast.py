"""The fast recipe beside the reference: score against training time.

    gan-jax train experiments/dcgan_mnist.py --workdir runs/reference --evaluate-every 1172 \
        --evaluate-samples 10000
    gan-jax train experiments/mnist_fast.py --workdir runs/fast --seeds 0:5
    PYTHONPATH=. python benchmarks/fast.py runs/reference runs/fast

Scores are those of the runs. Time is what their steps take, measured here, both taking turns; other
work during the runs does not matter so. It leaves out start, compilation and evaluation.
"""

import statistics
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np
import tyro
from seeds import runner

from gan_jax import devices, runs
from gan_jax.evaluation.during_training import own_rows
from gan_jax.experiment import Experiment
from gan_jax.metrics.estimate import of_mean

METRICS = {"frechet_distance": "Frechet distance", "score_ratio": "classifier score ratio"}
Curves = dict[str, dict[int, np.ndarray]]  # metric -> step -> values of the seeds


def main(
    reference: tyro.conf.Positional[Path],
    fast: tyro.conf.Positional[Path],
    /,
    picture: Path = Path("docs/fast_recipe.png"),
    rounds: int = 5,
) -> None:
    """Prints a table and draws the curves.

    Args:
        reference: its run directory.
        fast: directory of the seeds of the fast recipe.
        picture: where the curves go.
        rounds: how often each has a turn.
    """
    paths = {"reference": runs.all_seeds(reference), "fast": runs.all_seeds(fast)}
    experiments = {name: runs.open_directory(found[0])[1] for name, found in paths.items()}
    seconds, ratios = _seconds(experiments, rounds)
    whole = {name: each.total_steps() * seconds[name] for name, each in experiments.items()}
    steps = {name: each.total_steps() for name, each in experiments.items()}
    ratio = [steps["fast"] / steps["reference"] * one for one in ratios]
    print(f"{devices.cores()} cores, JAX {jax.__version__}")
    print(
        f"training time, fast / reference: 1/{1 / statistics.median(ratio):.1f} "
        f"(1/{1 / min(ratio):.1f} to 1/{1 / max(ratio):.1f})\n"
    )
    print("| | step | ms a step | minutes | Frechet distance | score ratio |")
    print("|---|---|---|---|---|---|")
    curves = {name: _curves(found) for name, found in paths.items()}
    for name, of_metrics in curves.items():
        for step in of_metrics["frechet_distance"]:
            cells = [_shown(of_metrics[metric][step]) for metric in METRICS]
            minutes = f"{step * seconds[name] / 60:.1f}"
            row = [name, f"{step:,}", f"{1000 * seconds[name]:.0f}", minutes, *cells]
            print(f"| {' | '.join(row)} |")
    _draw(curves, seconds, picture)
    print(f"\n{picture}; whole: {', '.join(f'{n} {s / 60:.1f} min' for n, s in whole.items())}")


def _seconds(experiments: dict[str, Experiment], rounds: int) -> tuple[dict, list[float]]:
    """Of a step of each, and the ratio of the two turn by turn."""
    counts = {"reference": 16, "fast": 200}
    running = {name: runner(each, "map", 1, counts[name]) for name, each in experiments.items()}
    times: dict[str, list[float]] = {name: [] for name in running}
    for turn in range(rounds + 1):
        for name, run in running.items():
            spent = run() / counts[name]
            if turn:  # the first compiles
                times[name].append(spent)
    ratios = [ours / theirs for ours, theirs in zip(*reversed(times.values()), strict=True)]
    return {name: statistics.median(found) for name, found in times.items()}, ratios


def _curves(paths: list[Path]) -> Curves:
    curves: Curves = {metric: {} for metric in METRICS}
    for path in paths:
        directory, experiment = runs.open_directory(path)
        for row in own_rows(directory, experiment):
            if row["metric"] in METRICS:
                found = curves[row["metric"]].setdefault(row["step"], [])
                found.append(row["value"])
    return curves


def _shown(values: list[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.3g}"
    mean = of_mean(np.array(values))
    return f"{mean.value:.3g} ({mean.low:.3g} to {mean.high:.3g})"


def _draw(curves: dict[str, Curves], seconds: dict[str, float], picture: Path) -> None:
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.2))
    for axes, (metric, title) in zip(panels, METRICS.items(), strict=True):
        for name, color in (("reference", "tab:gray"), ("fast", "tab:green")):
            found = curves[name][metric]
            minutes = [step * seconds[name] / 60 for step in found]
            for seed in zip(*found.values(), strict=True):
                axes.plot(minutes, seed, ".-", color=color, linewidth=0.8, alpha=0.6)
            axes.plot(minutes, [np.mean(of) for of in found.values()], color=color, label=name)
        axes.set_xscale("log")
        axes.set_xlabel("minutes of training")
        axes.set_title(title, fontsize=10)
    panels[0].set_yscale("log")
    panels[0].legend()
    figure.tight_layout()
    figure.savefig(picture, dpi=100)


if __name__ == "__main__":
    tyro.cli(main)
