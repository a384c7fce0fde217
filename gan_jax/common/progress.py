"""Reporting progress: bars on a terminal, and occasional lines about work that takes long."""

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
FIRST, NEXT = 1.0, 30.0  # seconds until the first line, and between lines


def announced(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Yields `items`, printing to stderr now and then what is done and how much time is left.

    The first line is printed after a second, further ones every 30 seconds, and none when less than
    half a second is left.

    Args:
        items: the items to yield.
        total: number of items.
        what: what is being done, for example 'Decoding the images of cats'.
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


SECONDS_BETWEEN_LINES = 20  # where there is no bar because the output is not a terminal
NARROWEST_BAR = 8  # characters; if there is less room, the figures after the bar are cut


def make_bar(console: Console) -> Progress:
    """Returns a progress bar that shows steps, the time left and the task field `figures`.

    It prints nothing where the output is not a terminal.
    """
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
    """The task field `figures`, cut to the room that a narrow bar and the other columns leave."""

    def __init__(self, console: Console, others: tuple[ProgressColumn, ...]):
        super().__init__(Column(no_wrap=True))
        self._console = console
        self._others = others

    def render(self, task: Task) -> Text:
        """Returns the figures of a task; `Progress` calls this."""
        others = [cell_len(str(column(task))) for column in self._others]
        gaps = len(others) + 1  # between them, the bar and this column
        figures = Text(task.fields["figures"])
        room = self._console.width - NARROWEST_BAR - sum(others) - gaps
        figures.truncate(max(room, 1), overflow="ellipsis")
        return figures
