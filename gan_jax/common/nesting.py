"""What changes something of its own kind: penalties around penalties, losses around losses."""

from collections.abc import Iterator
from typing import Any


def nested(value: Any, field: str) -> Iterator[Any]:
    """A value, what it holds in `field`, what that holds there, and so on inwards."""
    while value is not None:
        yield value
        value = getattr(value, field, None)
