import dataclasses
from typing import Any, Literal

import pytest

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import (
    check_bounds,
    check_not_empty,
    check_types,
    is_number,
    nearest,
)


@dataclasses.dataclass(frozen=True)
class Example:
    """One field of each kind."""

    number: int = 1
    rate: float = 0.5
    name: str = "x"
    flag: bool = False
    maybe: int | None = None
    choice: Literal["left", "right", 3] = "left"
    several: tuple[int, ...] = ()
    anything: Any = None


@pytest.mark.parametrize(
    "right",
    [{}, {"rate": 1}, {"maybe": 3}, {"choice": 3}, {"several": (1, 2)}, {"anything": object()}],
)
def test_right_types_pass(right):
    check_types(Example(**right))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", 1.0),
        ("number", True),
        ("rate", "0.5"),
        ("rate", float("inf")),
        ("rate", 1e300),
        ("rate", False),
        ("name", None),
        ("flag", 1),
        ("maybe", "3"),
        ("choice", "middle"),
        ("choice", "3"),
        ("several", [1, 2]),
        ("several", (1, "2")),
    ],
)
def test_wrong_types_are_named_with_their_value(field, value):
    with pytest.raises(RequestError) as error:
        check_types(Example(**{field: value}))
    assert f"Example.{field} = {value!r}: expected " in str(error.value)


def test_the_nearest_choice_is_named():
    with pytest.raises(RequestError, match="did you mean 'right'"):
        check_types(Example(choice="rihgt"))
    assert nearest("widht", ["width", "height"]) == "; did you mean 'width'?"
    assert nearest("zzz", ["width", "height"]) == ""


def test_bounds_hold_and_none_passes():
    check_bounds(Example(number=0), "number maybe", at_least=0, below=1)
    with pytest.raises(RequestError, match=r"Example\.number = 1: must be at least 0 and below 1"):
        check_bounds(Example(), "number", at_least=0, below=1)
    with pytest.raises(RequestError, match=r"Example\.number = 1: must be below 1"):
        check_bounds(Example(), "number", below=1)
    with pytest.raises(RequestError, match=rf"Example\.number = {2**31}: must be below 2\^31"):
        check_bounds(Example(number=2**31), "number", at_least=0)
    check_bounds(Example(number=2**31), "number", below=2**32)


def test_empty_text_is_refused():
    check_not_empty(Example(), "name")
    with pytest.raises(RequestError, match=r"Example\.name = ''"):
        check_not_empty(Example(name=""), "name")


@pytest.mark.parametrize(
    ("text", "whole"),
    [("0", True), ("12", True), ("-1", False), ("1.5", False), ("", False), ("٣", False)],
)
def test_whole_numbers_are_those_that_int_reads(text, whole):
    assert is_number(text) == whole
    assert not is_number("1" * 5000)
