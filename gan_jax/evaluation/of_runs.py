"""Evaluation of finished or running runs, and of any two sets of images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.common.progress import announced
from gan_jax.data.named import COLOURS
from gan_jax.data.sources.decode import MOST_PIXELS
from gan_jax.evaluation import image_sets
from gan_jax.evaluation.evaluator import NO_NETWORK, Evaluator, bundled_network, how_drawn
from gan_jax.evaluation.measure import (
    CLASSIFIER,
    MODES,
    NO_TEXTS,
    TEXTS,
    WORDS,
    Measured,
    Sides,
    measure,
    unavailable,
)
from gan_jax.evaluation.references import reference
from gan_jax.evaluation.rows import Row, make_rows, record_rows
from gan_jax.features.network import FeatureNetwork
from gan_jax.metrics.names import METRICS, OF_ONE_KIND
from gan_jax.runs import serialisation
from gan_jax.sampling import samples


@dataclass(frozen=True)
class Evaluation:
    """What was measured of the runs of one experiment, or of two sets of images.

    Attributes:
        facts: what was measured and with what, one line each.
        rows: one metric of one set of samples each; see `evaluation.rows`.
        unrecorded: why rows are not in a file that they belong in, one line for each file.
    """

    facts: tuple[str, ...]
    rows: tuple[Row, ...]
    unrecorded: tuple[str, ...] = ()


def evaluate_runs(
    paths: Sequence[Path],
    count: int = 10_000,
    step: runs.Step = "latest",
    network: FeatureNetwork | None = None,
    key: int = 0,
    announce: Callable[[str], None] = print,
    out: Path | None = None,
) -> Evaluation:
    """Measures runs that differ only in their seed, and adds rows to the evaluation.jsonl of each.

    Where a file cannot be written, what was measured is returned nevertheless.

    Three sets of samples are measured: those of the generator's moving average ("ema", if there is
    one), those of its own parameters ("raw"), and held-out real examples ("real") as the floor.

    Args:
        paths: run directories.
        count: how many samples of each.
        step: which checkpoint.
        network: replaces the experiment's own.
        key: seed of the latents, see `sampling.draw`.
        announce: is told what is left out, and why.
        out: .jsonl file for the rows of all runs, instead of the evaluation.jsonl of each.

    Raises:
        RequestError: there is no run, or no such checkpoint; the runs differ in more than the seed;
            the data have changed; samples are not finite.
    """
    opened = open_alike(paths, step, announce)
    samples.check_memory(opened[0].experiment, count, f"samples = {count}", kept=False)
    evaluator = Evaluator.of(opened[0].experiment, network)
    lacking = evaluator.unavailable(count)
    if not evaluator.experiment.data.labels:
        lacking.pop("intended_accuracy", None)  # which nobody expects of such a run
    of_another_kind = (MODES, TEXTS, WORDS, NO_TEXTS, CLASSIFIER)
    _announce({n: need for n, need in lacking.items() if need not in of_another_kind}, announce)
    if evaluator.network is None:
        announce(f"left out: all metrics of samples: {NO_NETWORK}")
    floor = {} if evaluator.network is None else _floor(evaluator, count, announce)
    rows, unrecorded = [], []
    for run in announced(opened, len(opened), "Measuring runs"):
        source = {"step": int(run.state.step), "seed": run.experiment.seed}
        source |= how_drawn(run.experiment, count, key, evaluator.features_sha256)
        measured = {}
        if run.state.ema is not None and evaluator.network is not None:
            measured["ema"] = evaluator.scores(run.state, count, key)
        measured["raw"] = evaluator.scores(run.state, count, key, raw=True)
        measured["real"] = floor
        of_run = [
            row
            for parameters, values in measured.items()
            for row in evaluator.rows(values, parameters, **source)
        ]
        if out:
            of_run = [row | {"run": str(run.directory.path)} for row in of_run]
        unrecorded += recorded(out or run.directory.evaluation, of_run)
        rows += of_run
    facts = (*_compared(evaluator, count), checkpoints_line(opened))
    return Evaluation(facts, tuple(rows), tuple(dict.fromkeys(unrecorded)))


def evaluate_data(
    first: str,
    second: str,
    size: int | None = None,
    channels: int | None = None,
    network: FeatureNetwork | None = None,
    announce: Callable[[str], None] = print,
    most_pixels: int = MOST_PIXELS,
    out: Path | None = None,
) -> Evaluation:
    """Measures a set of images against another, as if the first were samples of a generator.

    Args:
        first: folder, .npz file or data set, see `data.named`; or an .npz file of samples, see
            `image_sets`.
        second: likewise; stands for both training and held-out examples.
        size: height and width to which both are scaled and cropped, in pixels; their own if None.
        channels: 1 for grey, 3 for colour; their own if None.
        network: whose features are compared; if None, the one bundled for the second.
        announce: is told what is left out, and why.
        most_pixels: of an image file, see `images.folder`.
        out: .jsonl file to which the rows are added.

    Raises:
        RequestError: images are missing or not what the network takes, there is only one, they
            differ in size or channels and these were not given, or samples are out of range.
    """
    sets = image_sets.read((first, second), size, channels, announce, most_pixels)
    network = network or bundled_network(sets[1].described)
    compared = [reference(each.stored, network) for each in sets]
    sides = Sides(compared[0], compared[1], compared[1])
    # Nothing tells which images of the second set the first was made from, or which classes the
    # first was meant to show.
    unknown = ("memorisation", "intended_accuracy", *OF_ONE_KIND)
    names = [name for name in METRICS if name not in unknown]
    lacking = {name: need for name, need in unavailable(sides).items() if name in names}
    _announce(lacking, announce)
    size, _, channels = sets[0].described.sample_shape
    shape = {"size": size, "channels": channels}
    rows = make_rows(measure(sides, names), network, "all", first=first, second=second, **shape)
    colours = COLOURS[channels]
    facts = [_features_line(network), f"images of {size} x {size} pixels, in {colours}"]
    for text, found in zip((first, second), compared, strict=True):
        kept = len(found.kept.features)
        part = "" if kept == found.count else f", {kept:,} of them at random as single examples"
        facts.append(f"{found.count:,} images of {text}{part}")
    return Evaluation(tuple(facts), tuple(rows), tuple(recorded(out, rows) if out else ()))


def _floor(
    evaluator: Evaluator, count: int, announce: Callable[[str], None]
) -> dict[str, Measured]:
    """Measures held-out examples, and announces what is lacking of it."""
    if evaluator.held_out is None:
        announce("left out: the floor, real against real: there are no held-out real examples")
    elif (there := len(evaluator.held_out.kept.features)) < count:
        announce(
            f"only {there:,} held-out examples: as a floor, scores such as Frechet distances are "
            f"of so many, and not of {count:,}; --samples {there} compares equally many"
        )
    try:
        return evaluator.floor(count)
    except RequestError as error:
        announce(f"left out: the held-out examples as a floor: {error}")
        return {}


def _compared(evaluator: Evaluator, count: int) -> tuple[str, ...]:
    """Says what is compared, and by what features."""
    if evaluator.network is None:
        return (f"held-out examples: {evaluator.fingerprint}",)
    held_out = evaluator.held_out
    apart = "no others" if held_out is None else f"{held_out.count:,} others"
    return (
        _features_line(evaluator.network),
        f"{count:,} samples against {evaluator.training.count:,} real examples of the split "
        f"{evaluator.split!r}; held out: {apart}",
    )


def recorded(path: Path, rows: Sequence[Row]) -> list[str]:
    """Adds rows to a file; returns why, in a list, if that cannot be done."""
    try:
        record_rows(path, rows)
    except (OSError, RequestError) as error:
        return [f"not recorded in {path}: {error}"]
    return []


def _going(paths: Sequence[Path], announce: Callable[[str], None]) -> list[Path]:
    """Leaves out the runs that have diverged, if there are others, and announces it."""
    diverged = [path for path in paths if runs.RunDirectory(path).divergence.exists()]
    if len(paths) == 1 or not diverged:
        return list(paths)
    if len(diverged) == len(paths):
        raise RequestError(f"all of {', '.join(map(str, paths))} have diverged")
    announce(f"left out, as they have diverged: {', '.join(map(str, diverged))}")
    return [path for path in paths if path not in diverged]


def open_alike(
    paths: Sequence[Path], step: runs.Step, announce: Callable[[str], None]
) -> list[runs.Run]:
    """Opens runs that differ only in their seed, and leaves out those that have diverged.

    Args:
        paths: run directories.
        step: which checkpoint.
        announce: is told what is left out, and why.

    Raises:
        RequestError: a run or checkpoint does not exist; the runs differ in more than the seed; all
            of them have diverged; or the data have changed.
    """
    paths = _going(paths, announce)
    records = [runs.require_record(path) for path in paths]
    _check_same(paths, records)
    opened = [runs.load(path, step) for path in paths]
    found = {int(run.state.step) for run in opened}
    if len(found) > 1 and step != "best":
        reached = ", ".join(
            f"{path} at step {run.state.step}" for path, run in zip(paths, opened, strict=True)
        )
        raise RequestError(f"{reached}: give a step that all of them have saved with --step")
    runs.check_data(opened[0])
    return opened


def _announce(lacking: dict[str, str], announce: Callable[[str], None]) -> None:
    for need in dict.fromkeys(lacking.values()):
        names = [name for name, what in lacking.items() if what == need]
        announce(f"left out: {', '.join(names)}: needs {need}")


def _check_same(paths: Sequence[Path], records: Sequence[dict[str, Any]]) -> None:
    first, *others = records
    seeds = [record["experiment"]["seed"] for record in records]
    for path, other in zip(paths[1:], others, strict=True):
        changed = serialisation.differences(_without_seed(first), _without_seed(other))
        changed += serialisation.differences(
            first.get("data"), other.get("data"), "examples of the data"
        )
        if changed:
            raise RequestError(
                f"{paths[0]} and {path} differ in more than the seed; evaluate them apart:\n  "
                + "\n  ".join(changed)
            )
    if len(set(seeds)) < len(seeds):
        shown = ", ".join(f"{path} {seed}" for path, seed in zip(paths, seeds, strict=True))
        raise RequestError(f"each run must have a seed of its own: {shown}")


def _without_seed(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record["experiment"].items() if name != "seed"}


def checkpoints_line(opened: Sequence[runs.Run]) -> str:
    """Says at which steps the runs are, and with which commits they were trained."""
    steps = dict.fromkeys(f"{int(run.state.step):,}" for run in opened)
    commits = dict.fromkeys(_commit(run) for run in opened)
    return f"step {', '.join(steps)}, commit {', '.join(commits)}"


def _commit(run: runs.Run) -> str:
    commit = run.record["git"] or "unknown"
    hexadecimal, dash, changed = commit.partition("-")
    return hexadecimal[:12] + dash + changed


def _features_line(network: FeatureNetwork) -> str:
    return f"features {network.name}, sha256 {network.sha256()[:12]}"
