"""What a test has tried, and what failed."""

import dataclasses
import sys
from collections.abc import Sequence

from gan_jax.reports.terminal import compact_table, make_console, print_whole


@dataclasses.dataclass
class Tally:
    """Counts the trials of one test.

    Attributes:
        test: its name.
        goal: what must hold, in words.
        tried: trials so far.
        failures: a line for each that failed: what was done, and what came of it.
        notes: what a reader of the table should know: how a disk was made full, for example.
    """

    test: str
    goal: str = "0 failed"
    tried: int = 0
    failures: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    def add(self, trial: str, wrong: Sequence[str], trials: int = 1) -> None:
        """Counts a trial, or several that are judged together; failed if anything is `wrong`."""
        self.tried += trials
        if wrong:
            self.failures.append(f"{trial}: {'; '.join(wrong)}")
        # At once, as all the tests take an hour.
        failed = f", FAILED {self.failures[-1]}" if wrong else ""
        print(f"{self.test}: {self.tried}{failed}", file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """Adds a note, once."""
        if text not in self.notes:
            self.notes.append(text)


def show(tallies: Sequence[Tally]) -> None:
    """Prints the failures and the notes, then a table with a line for each test."""
    console, _ = make_console()
    for tally in tallies:
        for text in (*tally.notes, *(f"FAILED {failure}" for failure in tally.failures)):
            console.print(f"{tally.test}: {text}", markup=False, highlight=False)
    made = compact_table("test", "tried", "failed", "goal")
    for tally in tallies:
        made.add_row(tally.test, f"{tally.tried:,}", f"{len(tally.failures):,}", tally.goal)
    print_whole(console, made)
