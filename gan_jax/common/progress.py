"""Progress for people: bars on a terminal, and a line now and then about work that takes long."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

Item = TypeVar("Item")


FIRST, NEXT = 1.0, 30.0  # seconds


def announced(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Yields from `items`, saying on stderr what is being done and how long it will still take.

    Nothing is printed for work of about a second; else a line, and one more every 30 seconds.

    Args:
        items: what is being worked through.
        total: how many there are.
        what: 'Decoding the images of cats' for example.
    """
    start = time.monotonic()
    due = start + FIRST
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        left = (now - start) * (total - done) / done
        if now >= due and left >= 0.5:
            print(f"{what}: {done:,} of {total:,}, about {left:.0f} s left", file=sys.stderr)
            due = now + NEXT


SECONDS_BETWEEN_LINES = 20  # where the output is not a terminal and there is no bar
NARROWEST_BAR = 8  # characters; where there is less room, the text behind it is cut


def make_bar(console: Console) -> Progress:
    """Returns a bar that shows steps, the time left and `figures`; silent where no terminal is."""
    description = TextColumn("{task.description}")
    steps = MofNCompleteColumn(table_column=Column(no_wrap=True))
    left = TimeRemainingColumn(table_column=Column(no_wrap=True))
    figures = _Figures(console, (description, steps, left))
    return Progress(
        *(description, BarColumn(), steps, left, figures),
        console=console,
        disable=not console.is_terminal,
    )


class _Figures(ProgressColumn):
    """`figures`, cut to the room that a narrow bar and the other columns leave."""

    def __init__(self, console: Console, others: tuple[ProgressColumn, ...]):
        super().__init__(Column(no_wrap=True))
        self._console = console
        self._others = others

    def render(self, task: Task) -> Text:
        """Called by Progress."""
        others = [cell_len(str(column(task))) for column in self._others]
        gaps = len(others) + 1  # between them, the bar and this column
        figures = Text(task.fields["figures"])
        room = self._console.width - NARROWEST_BAR - sum(others) - gaps
        figures.truncate(max(room, 1), overflow="ellipsis")
        return figures
