"""Names of files that hold one sample each."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

LONGEST = 100  # bytes of a class in a name

Item = TypeVar("Item")


def numbered(
    items: Iterable[Item], class_names: Sequence[str] | None
) -> Iterator[tuple[str, Item]]:
    """Yields items with what their files are called, without suffix.

    It is their number from 000000 on and, where they have classes, the name of their class, as in
    000017_cat. What not every file system allows in a name becomes a hyphen, and long ones are cut.

    Args:
        items: any.
        class_names: name of each item's class; None without classes.
    """
    for number, item in enumerate(items):
        label = "" if class_names is None else "_" + re.sub(r"[^\w.-]+", "-", class_names[number])
        yield f"{number:06}{label.encode()[:LONGEST].decode(errors='ignore')}", item
