"""SIGKILL at random moments and during saves: what goes on must end like what was never killed."""

import dataclasses
import random
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.torture.comparing import differences, litter
from benchmarks.torture.processes import Bench, Process, free_port, is_saving, saving_in
from benchmarks.torture.tally import Tally

MOST = 0.9  # of the time of a whole run, after which a kill comes at the latest
AFTER = 0.02  # seconds after the beginning of a save; it takes about that long


@dataclasses.dataclass(frozen=True)
class Kills:
    """How many kills of each kind.

    Attributes:
        anywhen: of one run, at a random moment.
        saving: of one run, while a checkpoint is written.
        seeds: of two seeds in one program, at a random moment or during a save in turn.
        streamed: of a run whose data are streamed, likewise.
        sweeps: of a sweep of two configurations with two seeds each, likewise.
        processes: of one of the two processes that train a run.
        each_time: kills of one run before it may end.
        seed: of the random moments.
    """

    anywhen: int = 40
    saving: int = 30
    seeds: int = 10
    streamed: int = 10
    sweeps: int = 20
    processes: int = 10
    each_time: int = 4
    seed: int = 0


OPTIONS = {
    "anywhen": (),
    "saving": (),
    "seeds": ("--seeds", "0:2"),
    "streamed": ("--device-memory-fraction", "0"),
    "sweeps": ("--seeds", "0:2", "--grid", "latent_size=2,3"),
    "processes": (),
}


def kills(bench: Bench, counts: Kills) -> list[Tally]:
    """Kills as often as `counts` says, and compares what ends with what was never killed."""
    found = []
    for kind, options in OPTIONS.items():
        if count := getattr(counts, kind):
            tally = Tally(f"kills: {kind}", "0 arrays, lines or pictures differ, 0 files left")
            _kill(bench, tally, _Target(kind, options), count, counts)
            found.append(tally)
    return found


@dataclasses.dataclass(frozen=True)
class _Target:
    kind: str
    options: Sequence[str]

    def start(self, bench: Bench, workdir: Path) -> list[Process]:
        name = "sweep" if self.kind == "sweeps" else "train"
        command = bench.command(name, workdir, *self.options)
        if self.kind != "processes":
            return [bench.start(command)]
        command += ["--coordinator", f"localhost:{free_port()}", "--processes", "2"]
        return [bench.start([*command, "--process-id", str(number)]) for number in (0, 1)]


def _kill(bench: Bench, tally: Tally, target: _Target, count: int, counts: Kills) -> None:
    moments = random.Random(f"{counts.seed} {target.kind}")
    folder = bench.folder / target.kind
    began = time.monotonic()
    if wrong := _to_the_end(target.start(bench, folder / "whole")):
        tally.add("never killed", wrong)
        return
    seconds = time.monotonic() - began
    killed = saves = 0
    for attempt in range(2 * count):  # more than are needed, as a run may end before its kill
        workdir, here = folder / f"attempt_{attempt}", []
        while len(here) < min(counts.each_time, count - killed):
            kind = target.kind
            during_save = kind == "saving" or (kind != "anywhen" and len(here) % 2 == 1)
            processes = target.start(bench, workdir)
            victim = moments.choice(processes)
            moment = _wait(victim, workdir, moments, seconds, during_save)
            was_running = victim.kill()
            for other in processes:  # of two processes the other notices that it is alone
                if wrong := other.ended().wrong:
                    tally.failures.append(f"killed {moment}, the other process: {wrong[0]}")
            if not was_running:
                break
            saves += is_saving(workdir)
            here.append(moment)
        wrong = _to_the_end(target.start(bench, workdir))
        wrong = wrong or differences(folder / "whole", workdir) + litter(workdir)
        tally.add(f"killed {', then '.join(here)}", wrong, len(here))
        killed += len(here)
        if killed >= count:
            break
    tally.note(f"{saves} of {killed} kills left a save unfinished")


def _wait(
    process: Process, workdir: Path, moments: random.Random, seconds: float, during_save: bool
) -> str:
    """Waits for the moment of a kill, and returns it in words."""
    if not during_save:
        delay = moments.uniform(0, MOST * seconds)
        process.sleep(delay)
        return f"after {delay:.2f} s"
    saves, delay = moments.randint(1, 5), moments.choice((0, moments.uniform(0, AFTER)))
    process.wait_for(lambda: not is_saving(workdir))  # what an earlier kill has left is removed
    for number in range(saves):
        if process.wait_for(saving_in(workdir)) and number < saves - 1:
            process.wait_for(lambda: not is_saving(workdir))
    process.sleep(delay)
    return f"{delay * 1000:.0f} ms into a save"


def _to_the_end(processes: list[Process]) -> list[str]:
    return [wrong for process in processes for wrong in process.ended().unless(0)]
