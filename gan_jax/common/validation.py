"""Validation of frozen dataclasses when they are created: types, bounds and choices."""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterable
from typing import Any, Literal

from gan_jax.common.errors import RequestError

DIGITS = ".15g"  # of a bound in a message: as many as float64 has
TOO_LARGE = 2**31  # for an int32 array
LARGEST_FLOAT32 = (2 - 2**-23) * 2.0**127
LONGEST = 100  # digits of a whole number


def check_types(instance: Any) -> None:
    """Checks each field of a dataclass instance against its annotation.

    Supports int, float, bool, str, tuple, Literal, unions of these and None, and Any, which accepts
    everything. A bool is not an int; an int is a float; a float must be finite, in the range of
    float32.

    Raises:
        RequestError: names class, field, value and expected type.
    """
    hints = typing.get_type_hints(type(instance))
    for field in dataclasses.fields(instance):
        name, value, hint = field.name, getattr(instance, field.name), hints[field.name]
        if not _matches(value, hint):
            wrong = f"{type(instance).__name__}.{name} = {value!r}"
            raise RequestError(f"{wrong}: expected {_described(hint)}{_nearest(value, hint)}")


def check_bounds(
    instance: Any, names: str, *, at_least: float = -math.inf, below: float = math.inf
) -> None:
    """Checks that at_least <= value < below for the fields in `names`, separated by spaces.

    Fields that are None are skipped. Without `below`, integers must be below 2^31, so that an int32
    array can hold them.

    Raises:
        RequestError: names class, field, value and bounds.
    """
    for name in names.split():
        value = getattr(instance, name)
        if isinstance(value, int) and value >= TOO_LARGE and math.isinf(below):
            raise RequestError(f"{type(instance).__name__}.{name} = {value}: must be below 2^31")
        if value is not None and not at_least <= value < below:
            bounds = f"at least {at_least:{DIGITS}}" if math.isfinite(at_least) else ""
            bounds += " and " if bounds and math.isfinite(below) else ""
            bounds += f"below {below:{DIGITS}}" if math.isfinite(below) else ""
            raise RequestError(f"{type(instance).__name__}.{name} = {value!r}: must be {bounds}")


def check_not_empty(instance: Any, names: str) -> None:
    """Checks that none of the text fields in `names`, separated by spaces, is empty.

    Raises:
        RequestError: names class and field.
    """
    for name in names.split():
        if getattr(instance, name) == "":
            raise RequestError(f"{type(instance).__name__}.{name} = '': must not be empty")


def check_object(owner: str, field: str, value: Any, methods: str, right: str = "") -> None:
    """Checks that a field's value is a hashable object, not a class, with the given methods.

    Args:
        owner: name of the class that has the field.
        field: name of the field.
        value: its value.
        methods: names of the methods that it must have, separated by spaces.
        right: an example of a right value, for the message.

    Raises:
        RequestError: names the field, its value and what is wrong, and gives `right`.
    """
    shown = repr(value)
    wrong = f"{owner}.{field} = {shown if len(shown) < 200 else shown[:200] + '...'}"
    advice = f"; give {right}" if right else ""
    missing = [name for name in methods.split() if not callable(getattr(value, name, None))]
    is_function = isinstance(value, types.FunctionType) and value.__name__ == value.__qualname__
    if isinstance(value, type) or (missing and is_function):
        raise RequestError(
            f"{wrong}: is a {'function' if is_function else 'class'}; did you forget the "
            f"parentheses, as in {value.__name__}()?{advice}"
        )
    if missing:
        raise RequestError(f"{wrong}: has no method {' and no '.join(missing)}{advice}")
    # Flax copies modules while they are in use, with inner modules that are bound to variables and
    # therefore not hashable; those were checked when they were built.
    if getattr(value, "scope", None) is not None:
        return
    try:
        hash(value)
    except TypeError as error:
        frozen = "; use @dataclass(frozen=True)" if dataclasses.is_dataclass(value) else ""
        raise RequestError(f"{wrong}: must be hashable ({error}){frozen}") from error


def is_number(text: str) -> bool:
    """Whether a text is a whole number, not negative, that `int` reads.

    Python refuses numbers of thousands of digits, and `str.isdecimal` takes digits of all scripts.
    """
    return text.isascii() and text.isdecimal() and len(text) <= LONGEST


def nearest(word: str, words: Iterable[str]) -> str:
    """Returns '; did you mean ...?' with the closest of `words`, or '' if none is close."""
    close = difflib.get_close_matches(word, [w for w in words if isinstance(w, str)], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _matches(value: Any, hint: Any) -> bool:
    origin = typing.get_origin(hint)
    if hint is Any:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(_matches(value, option) for option in typing.get_args(hint))
    if origin is Literal:
        return any(value == o and type(value) is type(o) for o in typing.get_args(hint))
    if hint is float:
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        return numeric and abs(value) <= LARGEST_FLOAT32  # False for NaN
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if origin is tuple:
        inner = typing.get_args(hint)[0]
        return isinstance(value, tuple) and all(_matches(item, inner) for item in value)
    return isinstance(value, origin or hint)


def _described(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return "one of " + ", ".join(map(repr, typing.get_args(hint)))
    if hint is float:
        return "a finite number in the range of float32"
    if typing.get_origin(hint) is tuple:
        return "a tuple, as in (value,)"
    return str(getattr(hint, "__name__", hint) if not typing.get_args(hint) else hint)


def _nearest(value: Any, hint: Any) -> str:
    if typing.get_origin(hint) is Literal and isinstance(value, str):
        return nearest(value, typing.get_args(hint))
    return ""
