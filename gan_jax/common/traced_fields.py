"""Numbers of an experiment that compiled programs take as arguments: one program for all values.

A field of a frozen dataclass says so by its metadata:
`learning_rate: float = dataclasses.field(default=1e-4, metadata=TRACED)`. Code that uses the field
meets a JAX scalar there while a training step is compiled, and may not branch on it. A number whose
use loses digits in float32 is no such field: Adam's 1 - b2 for example. (The EMA's 1 - decay loses
them too, but it depends on the step and is computed in float32 in any case.)
"""

import copy
import dataclasses
import operator
from collections.abc import Callable, Iterable
from typing import Any

TRACED = {"traced": True}
PLACEHOLDER = 0.5


def numbers(value: Any) -> tuple[float, ...]:
    """The traced numbers of an experiment or a part of one, in the order of its fields.

    Those that are zero are left out, as zero may switch something off.
    """
    found: list[float] = []
    _mapped(value, lambda number: found.append(number) or number)
    return tuple(found)


def with_numbers(value: Any, numbers: Iterable[Any]) -> Any:
    """The same value with other traced numbers, as many as it has; they are not validated."""
    remaining = iter(numbers)
    return _mapped(value, lambda _: next(remaining))


def without_numbers(value: Any) -> Any:
    """The same value with a placeholder for each traced number: equal where only these differ."""
    return _mapped(value, lambda _: PLACEHOLDER)


def _mapped(value: Any, change: Callable[[float], Any]) -> Any:
    """Copies a value with each traced number changed; what holds none is kept as it is."""
    if isinstance(value, tuple):
        items = tuple(_mapped(item, change) for item in value)
        return value if all(map(operator.is_, items, value)) else items
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    changes = {}
    for field in dataclasses.fields(value):
        inner = getattr(value, field.name)
        is_number = field.metadata.get("traced") and inner
        changed = change(inner) if is_number else _mapped(inner, change)
        if changed is not inner:
            changes[field.name] = changed
    if not changes:
        return value
    copied = copy.copy(value)
    for name, changed in changes.items():
        object.__setattr__(copied, name, changed)
    return copied
