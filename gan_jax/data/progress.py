"""A line on stderr, now and then, about work that makes a user wait."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

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
