"""Nonsense as input: fuzzed command lines and fields, and hostile records, arrays and images."""

import contextlib
import dataclasses
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
from hypothesis import strategies

from benchmarks.torture import hostile
from benchmarks.torture.inside import Answer, gan_jax
from benchmarks.torture.processes import Bench
from benchmarks.torture.tally import Tally
from gan_jax.common.exit_codes import FINISHED, WRONG_REQUEST
from gan_jax.runs.serialisation import fields, load_experiment

GIB = 2**30


@dataclasses.dataclass(frozen=True)
class Fuzz:
    """How much nonsense.

    Attributes:
        commands: command lines, most of them of `train --dry-run` with the experiment's fields.
        files: hostile config.json, other JSON, arrays and images.
        seconds: after which one of them counts as hanging.
        memory: GiB that this process may take at most, meanwhile.
        seed: of all that is drawn.
    """

    commands: int = 2000
    files: int = 300
    seconds: int = 20
    memory: float = 1.5
    seed: int = 0


def fuzz(bench: Bench, counts: Fuzz) -> list[Tally]:
    """Gives commands nonsense: each is refused or done, without a traceback, in time."""
    goal = "exit code 0 or 2, no traceback, no hang"
    lines, files = Tally("fuzz: command lines", goal), Tally("fuzz: hostile files", goal)
    memory = Tally("fuzz: memory", f"at most {counts.memory} GiB")
    with contextlib.chdir(bench.folder):
        made = gan_jax("train", bench.file, "--workdir", "run", "--steps", "8")
        images = gan_jax("train", hostile.IMAGES_EXPERIMENT, "--workdir", "images", "--steps", "8")
        if (made.code, images.code) != (FINISHED, FINISHED):
            lines.add("a run to start from", [made.said + images.said])
            return [lines]
        _forget_peak()
        _command_lines(bench, counts, lines)
        for name, words in hostile.trials(random.Random(counts.seed), counts.files):
            files.add(name, _wrong(gan_jax(*words, seconds=counts.seconds)))
    peak = _peak() / GIB
    memory.add("peak", [f"{peak:.1f} GiB"] if peak > counts.memory else [])
    memory.note(f"{peak:.2f} GiB at the peak")
    return [lines, files, memory]


def _command_lines(bench: Bench, counts: Fuzz, tally: Tally) -> None:
    names = sorted(_dotted(load_experiment(bench.file)))

    @hypothesis.seed(counts.seed)
    @hypothesis.settings(
        max_examples=counts.commands,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(_words(str(bench.file), names))
    def run(words: list[str]) -> None:
        answer = gan_jax(*words, seconds=counts.seconds)
        tally.add(" ".join(map(repr, words)), _wrong(answer))
        shutil.rmtree("new", ignore_errors=True)

    run()


def _words(file: str, names: list[str]) -> strategies.SearchStrategy[list[str]]:
    """Words of command lines: known and unknown options with values of all kinds."""
    value = strategies.one_of(
        strategies.integers(-(2**70), 2**70).map(str),
        strategies.integers(-3, 3).map(str),
        strategies.floats().map(str),
        strategies.text(max_size=12),
        strategies.sampled_from(hostile.WORDS),
    )
    field = strategies.one_of(strategies.sampled_from(names), strategies.text(max_size=8))
    option = strategies.builds(lambda name, text: [f"--{name}", text], field, value)
    joined = strategies.builds(lambda name, text: [f"--{name}={text}"], field, value)
    options = strategies.lists(strategies.one_of(option, joined), min_size=1, max_size=4)
    flat = options.map(lambda pairs: [word for pair in pairs for word in pair])
    dry = flat.map(lambda words: ["train", file, "--dry-run", "--workdir", "new", *words])
    of_run = strategies.sampled_from(hostile.OPTIONS).flatmap(
        lambda known: value.map(lambda text: [known[0], "run", known[1], text])
    )
    return strategies.one_of(dry, dry, dry, of_run, flat)


def _dotted(value: object, path: str = "") -> Iterator[str]:
    """The names of the fields of an experiment, and of what it holds, as on the command line."""
    for name in fields(value):
        inner = getattr(value, name)
        yield f"{path}{name}".replace("_", "-")
        if dataclasses.is_dataclass(inner):
            yield from _dotted(inner, f"{path}{name}.")


def _wrong(answer: Answer) -> list[str]:
    if not answer.wrong and answer.code not in (FINISHED, WRONG_REQUEST):
        last = answer.said.strip().splitlines()[-1:]
        return [f"exit code {answer.code}: {''.join(last)[:200]}"]
    return answer.wrong


def _forget_peak() -> None:
    """Makes the peak of this process's memory start anew, on Linux."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_bytes(b"5")


def _peak() -> int:
    """The peak of this process's resident memory, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
