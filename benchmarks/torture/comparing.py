"""Whether two finished runs are the same, bit for bit, and what they left behind."""

import re
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.runs import checkpoints

# Temporary files: `common.files` gives them the name of the file, best/ none; Orbax marks its own.
LITTER = re.compile(r"\.(.+\.)?[0-9a-f]{32}|.*orbax-checkpoint-tmp.*")
RECORDS = ("metrics.jsonl", "evaluation.jsonl")


def runs_in(path: Path) -> list[Path]:
    """The runs in a directory, which may be one itself, relative to it."""
    return sorted(found.parent.relative_to(path) for found in path.rglob("config.json"))


def differences(first: Path, second: Path) -> list[str]:
    """What differs between two runs, or between all runs in two directories.

    Compared are the arrays of the newest checkpoint, the step of the best one, the lines of metrics
    and evaluations, and the bytes of the pictures.
    """
    there = runs_in(first)
    if there != runs_in(second):
        return [f"runs: {len(there)} and {len(runs_in(second))}"]
    return [
        f"{relative}: {found}" if len(there) > 1 else found
        for relative in there
        for found in _of_run(first / relative, second / relative)
    ]


def litter(path: Path) -> list[str]:
    """Temporary files and folders anywhere in a directory, which nothing will ever remove."""
    found = [inner for inner in path.rglob("*") if LITTER.fullmatch(inner.name)]
    return [f"left behind: {inner.relative_to(path)}" for inner in found]


def _of_run(first: Path, second: Path) -> Iterator[str]:
    one, other = runs.RunDirectory(first), runs.RunDirectory(second)
    for folder in ("checkpoints", "best"):
        steps = [checkpoints.steps(path / folder)[-1:] for path in (first, second)]
        if steps[0] != steps[1]:
            yield f"newest of {folder}/: {steps[0]} and {steps[1]}"
    yield from differing_arrays(first, second)
    for name in RECORDS:
        lines = [(p / name).read_bytes() if (p / name).exists() else b"" for p in (first, second)]
        if lines[0] != lines[1]:
            counts = [len(text.splitlines()) for text in lines]
            yield f"{name} differs ({counts[0]} and {counts[1]} lines)"
    pictures = [{p.name: p.read_bytes() for p in d.samples.glob("*")} for d in (one, other)]
    for name in sorted({*pictures[0], *pictures[1]}):
        if pictures[0].get(name) != pictures[1].get(name):
            yield f"samples/{name} differs"


def differing_arrays(first: Path, second: Path) -> list[str]:
    """The arrays that differ between the newest checkpoints of two runs."""
    try:
        states = [runs.load(path).state for path in (first, second)]
    except RequestError as error:
        return [f"cannot be opened: {error}"]
    trees = [jax.tree_util.tree_leaves_with_path(state) for state in states]
    if [path for path, _ in trees[0]] != [path for path, _ in trees[1]]:
        return ["the trees of arrays differ"]
    return [
        f"array {jax.tree_util.keystr(path)}"
        for (path, one), (_, other) in zip(*trees, strict=True)
        if _bits(one) != _bits(other)
    ]


def _bits(leaf: jax.Array) -> bytes:
    if jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf).tobytes()
