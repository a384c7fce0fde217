"""Measures what the metrics cost, and whether they respond to corrupted digits as they should.

    PYTHONPATH=. python benchmarks/metrics.py cost --torch-python peer/bin/python
    PYTHONPATH=. python benchmarks/metrics.py digits
    PYTHONPATH=. python benchmarks/metrics.py spoilt
    PYTHONPATH=. python benchmarks/metrics.py bias

`cost` times the Frechet distance, of as many and as wide features as the Inception network's,
against torch-fidelity, whose installation `torch_fidelity_fixtures.py` describes; they take turns,
each time in a new process. Only this package computes an interval; torch-fidelity's means are
float32. `digits` times features and all metrics of the bundled digits. `spoilt` prints the
distances of digits with increasing noise, blur or numbers of missing classes, which must rise.
`bias` prints and plots the Frechet distance between disjoint sets of digits over their size.
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import scipy
import tyro
from scipy import ndimage

from gan_jax import features
from gan_jax.data import images
from gan_jax.metrics import classes, frechet, kernel, neighbours
from gan_jax.metrics.estimate import Estimate

WORKER = Path(__file__).parent / "peers" / "frechet.py"
PEER = "torch-fidelity"
PLOT = Path(__file__).parents[1] / "docs" / "images" / "frechet_bias.png"
SPOILT = 1000  # digits that are compared with the real ones
NOISE = [0, 8, 16, 32, 64, 128]  # standard deviation, in grey levels of 255
BLUR = [0, 0.5, 1, 1.5, 2, 3]  # standard deviation, in pixels
DROPPED = [0, 1, 2, 4, 6, 8]  # classes
COUNTS = [150, 250, 500, 1000, 2500, 5000]


def cost(samples: int = 10_000, dimension: int = 2048, rounds: int = 3,
         torch_python: str = sys.executable) -> None:  # fmt: skip
    """Times the Frechet distance against torch-fidelity's.

    Args:
        samples: number of features in each of the two sets.
        dimension: dimension of the features.
        rounds: how often each is timed.
        torch_python: the Python interpreter that has torch-fidelity, if it is another one.
    """
    show_machine()
    pythons = {"gan_jax": sys.executable, "gan_jax, with interval": sys.executable}
    imports = [torch_python, "-c", "import torch_fidelity"]
    if subprocess.run(imports, capture_output=True).returncode:
        print("torch-fidelity is left out: pip install torch torchvision torch-fidelity\n")
    else:
        pythons[PEER] = torch_python
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / name) for name in ("generated.npy", "real.npy")]
        for seed, file in enumerate(files):
            np.save(file, correlated(seed, samples, dimension))
        runs: dict[str, list[list[float]]] = {name: [] for name in pythons}
        for index in range(rounds):
            for name in list(pythons)[:: (-1) ** index]:
                command = [pythons[name], str(WORKER), name, *files]
                out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                runs[name].append([float(number) for number in out.stdout.split()])
    rows = []
    for name, found in runs.items():
        values, seconds, peaks = zip(*found, strict=True)
        pairs = zip(found, runs.get(PEER, found), strict=True)
        ratio = statistics.median(this[1] / peer[1] for this, peer in pairs)
        rows.append([
            name,
            f"{statistics.median(seconds):.1f}",
            f"{min(seconds):.1f} to {max(seconds):.1f}",
            f"{ratio:.2f}" if PEER in runs else "",
            f"{max(peaks):.0f}",
            f"{values[0]:.9g}",
        ])  # fmt: skip
    show(["", "median s", "min to max", "time / torch-fidelity's", "peak MiB", "distance"], rows)


def digits() -> None:
    """Times features and all metrics of 10,000 noisy digits, given the originals and 2,000 more."""
    show_machine()
    data = images.mnist_sample()
    real, held_out = data.load(), data.held_out().load()
    pixels = noisy(real.sample, 32)
    network = features.mnist()
    rows = []

    def timed(name: str, function: Callable):
        start = time.perf_counter()
        result = function()
        rows.append([name, f"{time.perf_counter() - start:.1f}"])
        return result

    generated = timed("features of 10,000, with compilation", lambda: network.extract(pixels))
    training = timed("features of 10,000", lambda: network.extract(real.sample))
    other = timed("features of 2,000", lambda: network.extract(held_out.sample))
    labels, real_labels = (side.probabilities.argmax(axis=1) for side in (generated, training))
    ours, theirs, others = (side.features for side in (generated, training, other))
    count = generated.probabilities.shape[1]
    metrics = {
        "frechet.estimate": lambda: frechet.estimate(ours, frechet.moments([theirs])),
        "kernel_distance": lambda: kernel.kernel_distance(ours, theirs),
        "precision_recall": lambda: neighbours.precision_recall(ours, theirs),
        "density_coverage": lambda: neighbours.density_coverage(ours, theirs),
        "memorisation": lambda: neighbours.memorisation(ours, theirs, others),
        "classifier_score": lambda: classes.classifier_score(generated.probabilities),
        "score_ratio": lambda: classes.score_ratio(generated.probabilities, other.probabilities),
        "mode_count": lambda: classes.mode_count(labels, count),
        "class_divergence": lambda: classes.class_divergence(labels, real_labels, count),
        "intended_accuracy": lambda: classes.intended_accuracy(labels, real.label),
    }
    for name, function in metrics.items():
        timed(name, function)
    rows.append(["together", f"{sum(float(row[1]) for row in rows):.1f}"])
    show([f"{theirs.shape[1]} features", "s"], rows)


def spoilt() -> None:
    """Prints both distances between corrupted digits and 5,000 others."""
    digits = images.mnist_sample().load()
    order = np.random.default_rng(0).permutation(len(digits.sample))
    real, rest = digits.sample[order[:5000]], digits.sample[order[5000:]]
    labels = digits.label[order[5000:]]
    network = features.mnist()
    real = network.extract(real).features
    moments = frechet.moments([real])
    sets = {
        "noise of standard deviation": [(s, noisy(rest[:SPOILT], s)) for s in NOISE],
        "blur of standard deviation": [(s, blurred(rest[:SPOILT], s)) for s in BLUR],
        "classes missing": [(n, rest[labels >= n][:SPOILT]) for n in DROPPED],
    }
    for name, changed in sets.items():
        found = [network.extract(pixels).features for _, pixels in changed]
        distances = [frechet.estimate(one, moments) for one in found]
        kernels = [kernel.kernel_distance(one, real) for one in found]
        rises = all(np.all(np.diff([e.value for e in each]) > 0) for each in (distances, kernels))
        rows = [
            [f"{amount:g}", interval(distance), interval(other)]
            for (amount, _), distance, other in zip(changed, distances, kernels, strict=True)
        ]
        show([name, "Frechet distance", "kernel distance"], rows)
        print("both rise\n" if rises else "NOT RISING THROUGHOUT\n")


def bias() -> None:
    """Prints and plots the Frechet distance between n digits and 5,000 others, for several n."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    everything = features.mnist().extract(images.mnist_sample().load().sample).features
    # Digits of one writer are adjacent: without shuffling, the halves would really differ.
    shuffled = np.random.default_rng(0).permutation(everything)
    real, rest = frechet.moments([shuffled[:5000]]), shuffled[5000:]
    drawn = {count: [frechet.estimate(part, real).value for part in parts(rest, count)]
             for count in COUNTS}  # fmt: skip
    means = {count: statistics.mean(values) for count, values in drawn.items()}
    rows = [
        [f"{count:,}", str(len(values)), f"{means[count]:.3g}",
         f"{min(values):.3g} to {max(values):.3g}"]
        for count, values in drawn.items()
    ]  # fmt: skip
    show(["samples n", "sets", "mean distance", "min to max"], rows)
    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for count, values in drawn.items():
        axes.plot([count] * len(values), values, ".", color="tab:blue", alpha=0.4)
    axes.plot(means.keys(), means.values(), color="tab:blue", label="n digits from 5,000 others")
    first = COUNTS[0]
    line = [means[first] * (1 / count + 1 / 5000) / (1 / first + 1 / 5000) for count in COUNTS]
    axes.plot(COUNTS, line, ":", color="black", label="if it fell as 1 / n + 1 / 5,000")
    axes.set(xscale="log", yscale="log", xlabel="samples n", ylabel="Frechet distance",
             title="Real digits from other real digits: nothing but bias")  # fmt: skip
    axes.set_xticks(COUNTS, [f"{count:,}" for count in COUNTS])
    axes.minorticks_off()
    axes.legend()
    figure.savefig(PLOT, dpi=120)


def correlated(seed: int, samples: int, dimension: int) -> np.ndarray:
    """Returns Gaussian float32 features [samples, dimension] with variances like Inception's."""
    random = np.random.default_rng(seed)
    mix = random.standard_normal((dimension, dimension), np.float32)
    mix *= np.arange(1, dimension + 1, dtype=np.float32)[:, None] ** -0.5 / dimension**0.5
    return random.standard_normal((samples, dimension), np.float32) @ mix + seed


def noisy(pixels: np.ndarray, deviation: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(scale=deviation, size=pixels.shape)
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


def blurred(pixels: np.ndarray, deviation: float) -> np.ndarray:
    smooth = ndimage.gaussian_filter(pixels.astype(np.float32), (0, deviation, deviation, 0))
    return np.rint(smooth).astype(np.uint8)


def parts(rows: np.ndarray, count: int) -> list[np.ndarray]:
    """Returns at most ten disjoint parts of `count` rows."""
    return [rows[start : start + count] for start in range(0, len(rows) - count + 1, count)][:10]


def interval(estimate: Estimate) -> str:
    return f"{estimate.value:.3g} ({estimate.low:.3g} to {estimate.high:.3g})"


def show_machine() -> None:
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
          f"NumPy {np.__version__}, SciPy {scipy.__version__}\n")  # fmt: skip


def show(header: list[str], rows: list[list[str]]) -> None:
    """Prints a table in Markdown."""
    for row in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(row) + " |")
    print(flush=True)


if __name__ == "__main__":
    tyro.extras.subcommand_cli_from_dict(
        {"cost": cost, "digits": digits, "spoilt": spoilt, "bias": bias}
    )
