"""What the commands of `gan-jax` take: their arguments with types, defaults and help."""

import dataclasses
from pathlib import Path
from typing import Literal

from tyro.conf import Positional


@dataclasses.dataclass(frozen=True)
class Train:
    """Train an experiment; run it again to go on with it.

    `gan-jax train EXPERIMENT.py --help` lists every field of that experiment; each can be
    overridden by its dotted path: --generator.width 32.
    """

    file: Positional[Path]
    """Python file that defines `experiment = Experiment(...)`."""
    workdir: Path | None = None
    """Run directory; runs/<name of the file> if not given."""
    seeds: str | None = None
    """Train several seeds in one program, each with its run in WORKDIR/seed_<n>: 0:8 for 0 to 7,
    0,3,5 for these."""
    strategy: Literal["auto", "map", "vmap", "shard", "shard-vmap"] = "auto"
    """How seeds share the devices: in turns, batched, or spread over them."""
    coordinator: str | None = None
    """Train with several processes: HOST:PORT of the first one; SLURM and TPU pods need none."""
    processes: int | None = None
    """With --coordinator: how many there are."""
    process_id: int | None = None
    """With --coordinator: which one this is, from 0."""
    init_from: Path | None = None
    """Another run whose newest parameters to start with."""
    init_players: Literal["both", "generator", "discriminator"] = "both"
    """Which of its players to take."""
    init_partial: bool = False
    """Leave out its parameters that have another shape, instead of refusing them."""
    dry_run: bool = False
    """Print the resolved experiment, both networks and the memory of a step; train nothing."""


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Train many settings of an experiment, each with several seeds; run it again to go on.

    Each setting is a directory of seeds in the directory of the sweep. Settings that differ in
    learning rates, penalty weights or EMA decay only share one compiled program. `gan-jax sweep
    EXPERIMENT.py --help` lists every field of that experiment; each can be overridden for all
    settings by its dotted path.
    """

    source: Positional[Path]
    """Python file that defines `experiment`, or a function `experiments()` that yields (name,
    experiment); or the directory of a sweep, to go on with it."""
    workdir: Path | None = None
    """Directory of the sweep; runs/<name of the file>_sweep if not given."""
    seeds: str | None = None
    """Seeds of each setting, 0:4 (as if not given) for 0 to 3."""
    grid: tuple[str, ...] = ()
    """FIELD=VALUE,VALUE for the product of all such; FIELD+FIELD=VALUE,VALUE changes both fields
    together. Values are Python, with the names of the file: "loss=losses.NonSaturating,
    losses.Minimax(label_smoothing=0.1)"."""
    draw: tuple[str, ...] = ()
    """FIELD=LOW:HIGH or FIELD=log:LOW:HIGH: values are drawn from there, uniformly or
    log-uniformly."""
    draws: int = 10
    """How often all fields of --draw are drawn; each draw is combined with the whole grid."""
    key: int = 0
    """Seed of the draws."""
    search: int | None = None
    """Let Optuna choose that many settings from --grid and --draw, one after another, by their mean
    best_metric over seeds."""
    strategy: Literal["auto", "map", "vmap", "shard", "shard-vmap"] = "auto"
    """How the runs of one program share the devices: in turns, batched, or spread over them."""
    launcher: Literal["here", "local", "slurm"] = "here"
    """In this process, in --jobs processes of this machine, or as an array job of SLURM."""
    jobs: int = 2
    """With --launcher local: how many processes at once, each with its share of the cores."""
    slurm: tuple[str, ...] = ()
    """With --launcher slurm: NAME=VALUE of what submitit takes, timeout_min=60 for example."""
    retry_failed: bool = False
    """Train settings again that have failed before; runs that diverged are left alone."""
    only: tuple[str, ...] = ()
    """Of a sweep that is there: train these settings only."""
    status: bool = False
    """Of a sweep that is there: print how far it is, and train nothing."""
    dry_run: bool = False
    """Print the settings and what trains together; train nothing."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """Draw samples from a trained generator."""

    run: Positional[Path]
    """Run directory."""
    count: int = 16
    """How many samples; with --interpolate, how many paths."""
    seed: int | None = None
    """Which seed of the run; its only one if not given."""
    step: str = "latest"
    """Which checkpoint: a step, best or latest."""
    key: int = 0
    """Which random latents: the same run, key and count give the same bytes."""
    raw: bool = False
    """Take the generator's own parameters, not their moving average."""
    interpolate: bool = False
    """Walk between pairs of random latents, a row for each pair."""
    label: int | None = None
    """Of a run with labels: which class; they take turns if not given."""
    truncation: float | None = None
    """Draw normal latents within plus and minus this number only: better, less varied samples."""
    out: Path | None = None
    """.png for a page, .npz for samples with their latents, for images also a new folder;
    samples.png if not given."""


@dataclasses.dataclass(frozen=True)
class Score:
    """Print the discriminator's probability of being real for each image file."""

    run: Positional[Path]
    """Run directory."""
    images: Positional[tuple[Path, ...]]
    """PNG or JPEG files or folders; scaled and cropped to the size that the run was trained on."""
    seed: int | None = None
    """Which seed of the run; its only one if not given."""
    step: str = "latest"
    """Which checkpoint: a step, best or latest."""


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Measure samples of runs that differ only in their seed, or two sets of images.

    A table with 95 % intervals is printed, and a line for each metric is added to
    evaluation.jsonl in the run.
    """

    runs: Positional[tuple[Path, ...]] = ()
    """Run directories; of a sweep each setting is measured for itself."""
    data: tuple[str, str] | None = None
    """Instead of runs two sets of images, of which the second counts as real: folders, .npz files,
    names of data sets, or what `gan-jax sample --out FILE.npz` wrote."""
    seed: int | None = None
    """Of runs of several seeds: which; all if not given."""
    samples: int = 10_000
    """Of runs: how many samples to draw; at least 30 for all metrics."""
    step: str = "latest"
    """Of runs: which checkpoint, a step, best or latest."""
    features: str | None = None
    """Feature network: mnist, an .npz of `gan-jax features`, the .pth file of Inception, or
    MODULE:FUNCTION; the experiment's own if not given."""
    key: int = 0
    """Of runs: which random latents."""
    size: int = 28
    """With --data: height and width to which the images are scaled and cropped, in pixels."""
    channels: Literal[1, 3] = 1
    """With --data: 1 for grey, 3 for colour."""
    out: Path | None = None
    """With --data: .jsonl file to which a line for each metric is added; those of a run go to its
    evaluation.jsonl."""


@dataclasses.dataclass(frozen=True)
class Compare:
    """Compare settings: each metric over seeds, and which settings differ from the best.

    Evaluate each of them first, with equal --samples and --features; those that were not are left
    out.
    """

    runs: Positional[tuple[Path, ...]]
    """Directories of several seeds each, as `gan-jax train --seeds` makes them, or of sweeps."""
    out: Path | None = None
    """.csv file to which the same is written."""


@dataclasses.dataclass(frozen=True)
class Health:
    """Say in words how the training of a run goes, and what may help."""

    run: Positional[Path]
    """Run directory."""
    seed: int | None = None
    """Which seed of the run; all if not given."""


@dataclasses.dataclass(frozen=True)
class Features:
    """Train a classifier on labelled images; its activations are the features of evaluations."""

    data: Positional[str]
    """mnist_sample, a folder with a sub-folder for each class, an .npz file, or a name of
    tensorflow-datasets, such as fashion_mnist; or inception, to download Inception-v3's weights."""
    out: Path
    """File for the weights, .npz; .pth for Inception-v3's."""
    size: int = 28
    """Height and width in pixels to which the images are scaled and cropped."""
    channels: Literal[1, 3] = 1
    """1 for grey, 3 for colour."""
    epochs: int = 15
    """Passes over the training images."""
    seed: int = 0
    """Seed of the training."""


COMMANDS = {
    command.__name__.lower(): command
    for command in (Train, Sweep, Sample, Score, Features, Evaluate, Compare, Health)
}
