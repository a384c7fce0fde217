"""SIGTERM and SIGINT at many moments: a run ends in time, says so by its exit code, and goes on."""

import dataclasses
import signal
import time

from benchmarks.torture.comparing import differences, litter
from benchmarks.torture.processes import Bench, Ended, Process, saving_in
from benchmarks.torture.tally import Tally
from gan_jax.common.exit_codes import FINISHED, INTERRUPTED, STOPPED

# Until Python runs the package, a signal has its usual effect, which nobody can change.
INTERPRETER_SECONDS = 0.1
ASKING = (signal.SIGTERM, signal.SIGINT)
STEPS = 100_000  # of runs that are stopped while they train, so that they do not end before
SAVES = "20"


@dataclasses.dataclass(frozen=True)
class Signals:
    """How many signals, half of them SIGTERM.

    Attributes:
        starting: in the first half second.
        anywhen: evenly from then on until the run has ended.
        saving: while a checkpoint is written.
        training: while a long run trains.
        seconds: after which a run must have ended.
    """

    starting: int = 10
    anywhen: int = 20
    saving: int = 6
    training: int = 4
    seconds: float = 30.0


def signals(bench: Bench, counts: Signals) -> list[Tally]:
    """Sends signals, and then lets the same run go on to its end."""
    total = counts.starting + counts.anywhen + counts.saving + counts.training
    tally = Tally("signals", f"{total} of {total} end as they should")
    if counts.starting + counts.anywhen:
        _to_a_whole_run(bench, counts, tally)
    _to_a_long_run(bench, counts, tally)
    return [tally]


def _to_a_whole_run(bench: Bench, counts: Signals, tally: Tally) -> None:
    whole = bench.folder / "whole"
    began = time.monotonic()
    if wrong := bench.finish(bench.command("train", whole)).unless(FINISHED):
        tally.add("no signal", wrong)
        return
    seconds = time.monotonic() - began
    for number in range(counts.starting + counts.anywhen):
        late = number - counts.starting
        if late < 0:
            delay = 0.5 * (number + 0.5) / counts.starting
        else:
            delay = 0.5 + (seconds - 0.5) * (late + 0.5) / counts.anywhen
        workdir = bench.folder / f"after_{number}"
        process = bench.start(bench.command("train", workdir))
        process.sleep(delay)
        which = ASKING[number % 2]
        wrong, code = _ask(process, which, counts.seconds, delay)
        if code in (STOPPED, INTERRUPTED):
            wrong = wrong or bench.finish(bench.command("train", workdir)).unless(FINISHED)
            wrong = wrong or differences(whole, workdir) + litter(workdir)
        tally.add(f"{which.name} after {delay:.2f} s", wrong)


def _to_a_long_run(bench: Bench, counts: Signals, tally: Tally) -> None:
    for number in range(counts.saving + counts.training):
        workdir, is_saved = bench.folder / f"in_{number}", number < counts.saving
        words = bench.command("train", workdir, "--steps", str(STEPS), "--save-every", SAVES)
        process = bench.start(words)
        process.wait_for(saving_in(workdir))
        if not is_saved:
            process.sleep(0.3 * (number + 1))
        which = ASKING[number % 2]
        wrong, _ = _ask(process, which, counts.seconds)
        tally.add(f"{which.name} {'during a save' if is_saved else 'while it trains'}", wrong)


def _ask(
    process: Process, which: signal.Signals, seconds: float, delay: float = float("inf")
) -> tuple[list[str], int]:
    """Sends a signal; returns what is wrong with the end of the process, and its exit code."""
    process.send(which)
    sent = time.monotonic()
    ended = process.ended(2 * seconds)
    wrong = ended.unless(*_right(which, ended, delay))
    if (took := time.monotonic() - sent) > seconds:
        wrong.append(f"ended after {took:.0f} s")
    return wrong, ended.code


def _right(which: signal.Signals, ended: Ended, delay: float) -> tuple[int, ...]:
    codes = [FINISHED, STOPPED]
    if which is signal.SIGINT and "stopped at step" not in ended.said:
        codes = [FINISHED, INTERRUPTED]
    return (*codes, -which) if delay < INTERPRETER_SECONDS else tuple(codes)
