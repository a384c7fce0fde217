"""Full and read-only disks, locks, and run directories that vanish: one message, nothing lost."""

import contextlib
import dataclasses
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from benchmarks.torture.comparing import differences, litter
from benchmarks.torture.inside import gan_jax
from benchmarks.torture.processes import Bench, Ended
from benchmarks.torture.tally import Tally
from gan_jax.common.exit_codes import FAILED, FINISHED, WRONG_REQUEST
from gan_jax.runs import RunDirectory

KIB = 1024
ROOM = 256 * 1024 * KIB  # enough for a whole run


@dataclasses.dataclass(frozen=True)
class Disks:
    """How many trials of each kind.

    Attributes:
        full: disks of different sizes that fill up.
        read_only: disks that nothing can be written to.
        locked: runs that another process holds.
        vanishing: run directories that are moved away while they train, and back afterwards.
        twice: runs that two processes start at once.
        smallest: KiB of the smallest full disk; each next one has half as much again.
        steps: of a run that is there already; a multiple of the experiment's intervals.
    """

    full: int = 8
    read_only: int = 3
    locked: int = 3
    vanishing: int = 3
    twice: int = 3
    smallest: int = 16
    steps: int = 20


def disks(bench: Bench, counts: Disks) -> list[Tally]:
    """Breaks the disk under runs, mends it, and lets them go on to their end."""
    tally = Tally("disks", "one message, no traceback, equal bits after mending")
    whole = bench.folder / "whole"
    made = gan_jax("train", bench.file, "--workdir", whole)
    if made.code != FINISHED:
        tally.add("nothing broken", [made.said, *made.wrong])
        return [tally]
    trials = {
        "full": _full,
        "read_only": _read_only,
        "locked": _locked,
        "vanishing": _vanishing,
        "twice": _twice,
    }
    for kind, trial in trials.items():
        for number in range(getattr(counts, kind)):
            workdir = bench.folder / kind / str(number) / "run"
            workdir.parent.mkdir(parents=True)
            with contextlib.ExitStack() as stack:
                wrong = trial(bench, tally, workdir, number, counts, stack)
                wrong = wrong or _go_on(bench, workdir)
                wrong = wrong or differences(whole, workdir) + litter(workdir)
                tally.add(f"{kind} {number}", wrong)
    return [tally]


def _go_on(bench: Bench, workdir: Path) -> list[str]:
    answer = gan_jax("train", bench.file, "--workdir", workdir)
    return [] if answer.code == FINISHED else [f"does not go on: {answer.said}", *answer.wrong]


def _one_message(ended: Ended, *codes: int) -> list[str]:
    errors = [line for line in ended.said.splitlines() if line.startswith("error:")]
    wrong = ended.unless(*codes)
    if ended.code != FINISHED and len(errors) != 1:
        wrong.append(f"{len(errors)} lines of errors: {' / '.join(errors)[:300]}")
    return wrong


def _full(bench, tally, workdir, number, counts, stack) -> list[str]:
    size = int(counts.smallest * KIB * 1.5**number)
    command = bench.command("train", workdir)
    mount = stack.enter_context(_tmpfs(workdir.parent, size))
    if mount is None:
        tally.note("full disks: RLIMIT_FSIZE, as no tmpfs can be mounted")
        process = bench.start(command)
        process.limit_files(size)  # before it can write anything, as it has to import JAX first
        ended = process.ended()
    else:
        tally.note("full disks: a tmpfs")
        ended = bench.finish(command)
        mount(f"size={ROOM}")
    return _one_message(ended, FAILED, WRONG_REQUEST, FINISHED)


def _read_only(bench, tally, workdir, number, counts, stack) -> list[str]:
    mount = stack.enter_context(_tmpfs(workdir.parent, ROOM))
    if mount is None:
        tally.note("read-only disks: left out, as no tmpfs can be mounted")
        return []
    command = bench.command("train", workdir)
    if number:  # a run that is there already
        bench.finish([*command, "--steps", str(counts.steps)])
    mount("ro")
    ended = bench.finish(command)
    mount("rw")
    return _one_message(ended, FAILED, WRONG_REQUEST)


def _locked(bench, tally, workdir, number, counts, stack) -> list[str]:
    command = bench.command("train", workdir)
    if number:
        bench.finish([*command, "--steps", str(counts.steps)])
    workdir.mkdir(exist_ok=True)
    with filelock.FileLock(RunDirectory(workdir).lock):
        return _one_message(bench.finish(command), WRONG_REQUEST)


def _vanishing(bench, tally, workdir, number, counts, stack) -> list[str]:
    process = bench.start(bench.command("train", workdir))
    metrics = RunDirectory(workdir).metrics  # from then on there is a checkpoint to go on from
    process.wait_for(lambda: metrics.exists() and metrics.stat().st_size > 0)
    process.sleep(0.1 * number)
    away = workdir.with_name("away")
    workdir.rename(away)
    ended = process.ended()
    if workdir.exists():  # whatever was written after the move is of no use without the rest
        shutil.rmtree(workdir)
    away.rename(workdir)
    return _one_message(ended, FAILED, WRONG_REQUEST, FINISHED)


def _twice(bench, tally, workdir, number, counts, stack) -> list[str]:
    command = bench.command("train", workdir)
    first = bench.start(command)
    first.sleep(1.0 * number)
    second = bench.start(command)
    ends = [first.ended(), second.ended()]
    wrong = [text for ended in ends for text in _one_message(ended, FINISHED, WRONG_REQUEST)]
    if FINISHED not in (ended.code for ended in ends):
        wrong.append("neither has trained")
    return wrong


@contextlib.contextmanager
def _tmpfs(folder: Path, size: int) -> Iterator[Callable[[str], None] | None]:
    """Mounts a disk of some bytes; yields what mounts it again with other options, if it can."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "torture", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
        yield None
        return

    def again(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)

    try:
        yield again
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
