"""Fields that take a schedule: an object whose `build()` returns a function of the step.

`gan_jax.optimizers` has the schedules themselves. Some fields take a number or a schedule, whose
value at a step is then the number at that step.
"""

from collections.abc import Callable
from typing import Any

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_object


def check_schedule(owner: str, field: str, schedule: Any, right: str) -> None:
    """Checks that a field's value describes a schedule.

    Raises:
        RequestError: it has no method `build`, or builds something else, for example an optimizer.
    """
    check_object(owner, field, schedule, "build", right)
    if not callable(schedule.build()):
        raise RequestError(f"{owner}.{field} = {schedule!r}: is not a schedule; give {right}")


def check_number_or_schedule(
    instance: Any, field: str, bounds: str, fits: Callable[[float], bool]
) -> None:
    """Checks that a dataclass's field holds a number within bounds, or a schedule of such numbers.

    Of an `optimizers.Schedule` the largest value is checked, of other schedules none is known.

    Args:
        instance: the dataclass instance.
        field: name of the field.
        bounds: what a number must be, in words.
        fits: whether a number is that.

    Raises:
        RequestError: names the field, its value and what would be right.
    """
    owner, value = type(instance).__name__, getattr(instance, field)
    largest = value
    if isinstance(value, bool) or not isinstance(value, int | float):
        right = f'a number {bounds}, or Schedule("cosine", 10_000, start=..., end=...)'
        check_schedule(owner, field, value, right)
        largest = getattr(value, "largest", None)
    if largest is not None and not fits(largest):
        raise RequestError(f"{owner}.{field} = {value!r}: must be {bounds}")


def value_at(value: Any, step: Any) -> Any:
    """Returns a number as it is, and of a schedule the number at a step."""
    return value.build()(step) if hasattr(value, "build") else value
