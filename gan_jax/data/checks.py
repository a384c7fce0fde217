"""Checks of the arguments that the descriptions of data share."""

import difflib
from collections.abc import Iterable

from gan_jax.errors import RequestError


def check_integer(name: str, value: object, minimum: int) -> None:
    """Raise RequestError unless `value` is an int (no bool, no float) of at least `minimum`."""
    if type(value) is not int:
        raise RequestError(f"{name} must be an integer, not {type(value).__name__} {value!r}")
    if value < minimum:
        raise RequestError(f"{name} must be at least {minimum}, not {value}")


def check_type(name: str, value: object, expected: type) -> None:
    """Raise RequestError unless `value` is an instance of `expected`."""
    if not isinstance(value, expected):
        kind = type(value).__name__
        raise RequestError(f"{name} must be of type {expected.__name__}, not {kind} {value!r}")


def check_text(name: str, value: object) -> None:
    """Raise RequestError unless `value` is a str with something in it."""
    check_type(name, value, str)
    if not value:
        raise RequestError(f"{name} must not be empty")


def check_choice(name: str, value: object, choices: Iterable[object]) -> None:
    """Raise RequestError, with the nearest right value, unless `value` is one of `choices`."""
    choices = tuple(choices)
    if any(value == choice and type(value) is type(choice) for choice in choices):
        return
    listed = ", ".join(map(repr, choices))
    raise RequestError(f"{name} must be one of {listed}, not {value!r}{nearest(value, choices)}")


def nearest(value: object, choices: Iterable[object]) -> str:
    """Return '; did you mean ...?' for the choice closest to a misspelled `value`, or ''."""
    names = [choice for choice in choices if isinstance(choice, str)]
    matches = difflib.get_close_matches(str(value).lower(), names, n=1)
    return f"; did you mean {matches[0]!r}?" if matches else ""
