"""The command: runs the tests that are asked for, and prints one table."""

import dataclasses
import os
import sys
import tempfile
from pathlib import Path
from typing import Literal

import tyro
from tyro.conf import Positional

from benchmarks.torture.damage import Damage, damage
from benchmarks.torture.disks import Disks, disks
from benchmarks.torture.endurance import Endurance, endurance
from benchmarks.torture.fuzz import Fuzz, fuzz
from benchmarks.torture.integrity import Integrity, integrity
from benchmarks.torture.kills import Kills, kills
from benchmarks.torture.processes import Bench
from benchmarks.torture.signals import Signals, signals
from benchmarks.torture.tally import show
from gan_jax.runtime import thread_errors

Kind = Literal["kills", "damage", "signals", "disks", "fuzz", "endurance", "integrity"]


@dataclasses.dataclass(frozen=True)
class Torture:
    """Tries to break runs.

    Attributes:
        file: the experiment, which should train in seconds.
        only: these kinds of tests; all if empty.
        kills: how many kills of each kind.
        damage: how many damaged files.
        signals: how many signals of each kind.
        disks: how many broken disks of each kind.
        fuzz: how much nonsense.
        endurance: how long a run, and what may grow.
        integrity: what whole files and checks may cost.
    """

    file: Positional[Path] = Path(__file__).with_name("points_experiment.py")
    only: tuple[Kind, ...] = ()
    kills: Kills = Kills()
    damage: Damage = Damage()
    signals: Signals = Signals()
    disks: Disks = Disks()
    fuzz: Fuzz = Fuzz()
    endurance: Endurance = Endurance()
    integrity: Integrity = Integrity()


def main(torture: Torture) -> int:
    """Runs the tests and prints their table; 1 if a goal is missed."""
    thread_errors.keep_back()  # as the command does
    tests = {
        "kills": (kills, torture.kills),
        "damage": (damage, torture.damage),
        "signals": (signals, torture.signals),
        "disks": (disks, torture.disks),
        "fuzz": (fuzz, torture.fuzz),
        "endurance": (endurance, torture.endurance),
        "integrity": (integrity, torture.integrity),
    }
    tallies = []
    for kind, (test, counts) in tests.items():
        if kind in (torture.only or tests):
            with tempfile.TemporaryDirectory(prefix=f"torture_{kind}_") as folder:
                # Commands that run in this process must not change what the user trusts either.
                os.environ["XDG_STATE_HOME"] = f"{folder}/state"
                tallies += test(Bench(Path(folder), torture.file.resolve()), counts)
    show(tallies)
    return int(any(tally.failures for tally in tallies))


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Torture)))
