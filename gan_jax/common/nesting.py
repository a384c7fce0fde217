"""Wrapped losses, penalties and networks."""

from collections.abc import Iterator
from typing import Any


def nested(value: Any, field: str) -> Iterator[Any]:
    """Yields a value, the value it wraps in `field`, the value that one wraps, and so on."""
    while value is not None:
        yield value
        value = getattr(value, field, None)
