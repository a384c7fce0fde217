"""Hyper-parameters that compiled programs take as arguments: one program for all their values.

A field of a frozen dataclass is traced if its metadata say so:
`learning_rate: float = dataclasses.field(default=1e-4, metadata=TRACED)`. While a training step is
compiled, the field holds a JAX scalar, and code must not branch on it. Numbers whose use loses
digits in float32 must not be traced, Adam's 1 - b2 for example. (So does the EMA's 1 - decay, but
that depends on the step and is computed in float32 in any case.)
"""

import copy
import dataclasses
import operator
from collections.abc import Callable, Iterable
from typing import Any

TRACED = {"traced": True}
PLACEHOLDER = 0.5


def hyperparameters(value: Any) -> tuple[float, ...]:
    """Returns the traced hyper-parameters of an experiment or a part of one, in field order.

    Those that are zero are left out, as zero may switch something off.
    """
    found: list[float] = []
    _mapped(value, lambda number: found.append(number) or number)
    return tuple(found)


def with_hyperparameters(value: Any, hyperparameters: Iterable[Any]) -> Any:
    """Returns the same value with other traced hyper-parameters, which are not validated.

    Args:
        value: an experiment or a part of one.
        hyperparameters: as many as `hyperparameters(value)` returns, in the same order.
    """
    remaining = iter(hyperparameters)
    return _mapped(value, lambda _: next(remaining))


def without_hyperparameters(value: Any) -> Any:
    """Returns the same value with a placeholder for each traced hyper-parameter.

    Values that differ only in these become equal.
    """
    return _mapped(value, lambda _: PLACEHOLDER)


def _mapped(value: Any, change: Callable[[float], Any]) -> Any:
    """Copies a value with each traced field changed; what has none is returned as it is."""
    if isinstance(value, tuple):
        items = tuple(_mapped(item, change) for item in value)
        return value if all(map(operator.is_, items, value)) else items
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    changes = {}
    for field in dataclasses.fields(value):
        inner = getattr(value, field.name)
        is_traced = field.metadata.get("traced") and inner
        changed = change(inner) if is_traced else _mapped(inner, change)
        if changed is not inner:
            changes[field.name] = changed
    if not changes:
        return value
    copied = copy.copy(value)
    for name, changed in changes.items():
        object.__setattr__(copied, name, changed)
    return copied
