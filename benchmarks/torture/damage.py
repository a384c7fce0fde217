"""Every file of a run damaged in every way: what is lost is said, and nothing is silently wrong."""

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.torture.comparing import RECORDS, differences, differing_arrays
from benchmarks.torture.inside import Answer, gan_jax, spread
from benchmarks.torture.processes import Bench
from benchmarks.torture.tally import Tally
from gan_jax.common.exit_codes import FINISHED

OTHER_TYPES = (b"[1]", b'"text"', b"7", b"null", b"{}")
SAMPLES, READERS = (
    ("sample", "run", "--count", "4", "--out", "samples.npz"),
    (("compare", "run"), ("health", "run"), ("evaluate", "run", "--samples", "40")),
)


@dataclasses.dataclass(frozen=True)
class Damage:
    """How much is damaged.

    Attributes:
        most: trials, evenly spread over all files and ways; each resumes and reads a damaged copy.
        steps: of the run that is damaged, before it goes on to the experiment's own number.
    """

    most: int = 10_000
    steps: int = 40


def flip_a_bit(path: Path) -> None:
    """Flips one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    if content:
        content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    """Leaves the first half of a file."""
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    """Leaves an empty file."""
    path.write_bytes(b"")


WAYS: dict[str, Callable[[Path], None]] = {
    "truncated": truncate,
    "deleted": Path.unlink,
    "emptied": empty,
    "flipped": flip_a_bit,
}


def ways(path: Path) -> dict[str, Callable[[Path], None]]:
    """The ways to damage a file; one that holds JSON may hold JSON of another type as well."""
    found = dict(WAYS)
    try:
        json.loads(
            path.read_bytes().partition(b"\n")[0] if path.suffix == ".jsonl" else path.read_bytes()
        )
    except ValueError:
        return found
    for content in OTHER_TYPES:
        lines = content + b"\n"
        found[f"now {content.decode()}"] = lambda path, lines=lines: path.write_bytes(lines)
    return found


def damage(bench: Bench, counts: Damage) -> list[Tally]:
    """Damages copies of a run; reads them, and lets them go on to the end."""
    wrong = Tally(
        "damage: silently wrong", "0: arrays, samples and reports differ only with a word"
    )
    lost = Tally("damage: lost without a word", "0 lines, pictures or checkpoints")
    raised = Tally("damage: tracebacks", "0")
    altered = 0
    with contextlib.chdir(_folder(bench.folder / "whole")):
        _train(bench)
    with contextlib.chdir(_folder(bench.folder / "stopped")):
        _train(bench, "--steps", counts.steps)
        intact = Path("run").absolute()
    with contextlib.chdir(_copy(intact, bench.folder / "intact")):
        expected = dict(_read())
    files = sorted(path.relative_to(intact) for path in intact.rglob("*") if path.is_file())
    trials = [(file, *way) for file in files for way in ways(intact / file).items()]
    for file, way, change in spread(trials, counts.most):
        trial = f"{file} {way}"
        with contextlib.chdir(_copy(intact, bench.folder / "trial")):
            change(Path("run") / file)
            answers = dict(_read())
        with contextlib.chdir(_copy(intact, bench.folder / "trial")):
            change(Path("run") / file)
            answers["train"] = train = _train(bench)
            silent = train.code == FINISHED and not _names(train, file)
            whole, here = bench.folder / "whole" / "run", Path("run")
            arrays = differing_arrays(whole, here) if silent else []
            found = differences(whole, here) if silent else []
            rest = [each for each in found if each not in arrays]
        changed = [each for each in rest if _is_only_altered(each, whole, bench.folder / "trial")]
        altered += bool(changed)
        misread = [
            f"{name} says something else"
            for name, answer in answers.items()
            if name in expected and answer.code == FINISHED and answer.out != expected[name].out
            if not _names(answer, file)
        ]
        if misread and way == "flipped" and file.name in (*RECORDS, "seconds.json"):
            altered, misread = altered + 1, []
        wrong.add(trial, arrays + misread)
        lost.add(trial, [each for each in rest if each not in changed])
        raised.add(
            trial, [f"{n}: {each}" for n, answer in answers.items() for each in answer.wrong]
        )
    lost.note(f"{altered} trials changed a line or a pixel of a record, which keeps no checksums")
    return [wrong, lost, raised]


def _train(bench: Bench, *options: object) -> Answer:
    return gan_jax("train", bench.file, "--workdir", "run", *options)


def _read() -> Iterator[tuple[str, Answer]]:
    """What the commands that open runs say about ./run; samples stand in the place of output."""
    sampled = gan_jax(*SAMPLES)
    if sampled.code == FINISHED:
        with np.load("samples.npz") as file:
            content = {name: file[name].tolist() for name in file.files}
        sampled = dataclasses.replace(sampled, out=str(content))
    yield "sample", sampled
    for words in READERS:
        yield words[0], gan_jax(*words)


def _names(answer: Answer, file: Path) -> bool:
    """Whether a message names a file, or the checkpoint that it belongs to."""
    inside = file.parts[0] in ("checkpoints", "best")
    return (str(Path(*file.parts[:2])) if inside else file.name) in answer.said + answer.out


def _is_only_altered(difference: str, whole: Path, trial: Path) -> bool:
    """Whether a record is still there, with as many lines, but something in it has changed."""
    name = difference.partition(" ")[0]
    there = trial / "run" / name
    if name in RECORDS and there.exists():
        counts = [len(path.read_bytes().splitlines()) for path in (whole / name, there)]
        return counts[0] == counts[1]
    return name.endswith(".png") and there.exists() and there.stat().st_size > 0


def _copy(run: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(run, folder / "run")
    return folder


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
