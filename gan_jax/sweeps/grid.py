"""Configurations of a sweep: experiments with readable names, from grids, draws or a file."""

import ast
import dataclasses
import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gan_jax import losses, optimizers, penalties
from gan_jax.common.errors import RequestError
from gan_jax.common.validation import nearest
from gan_jax.experiment import Experiment
from gan_jax.runs import SWEEP, serialisation

LONGEST_NAME = 200  # bytes; file systems allow 255
LARGEST = 1e18  # bound of an interval; NumPy draws integers of 64 bits
TRIES = 100  # for each draw, until it differs from the earlier ones
DIGITS = 5  # significant digits of drawn numbers, so that names show the exact value
UNCHANGED = "as_it_is"  # name of the configuration that changes nothing
RESERVED = ("logs", "optuna.log", SWEEP)  # other names in the directory of a sweep
KNOWN = {"losses": losses, "optimizers": optimizers, "penalties": penalties}

Configurations = dict[str, Experiment]  # by name


class Choice(NamedTuple):
    """One value for one or more fields.

    Attributes:
        fields: dotted paths.
        value: what all of them are set to.
        word: the value as it appears in names of configurations.
    """

    fields: tuple[str, ...]
    value: Any
    word: str

    def __str__(self) -> str:
        return f"{'+'.join(self.fields)}={_brief(self.word)}"


class Range(NamedTuple):
    """Fields whose common value is drawn from an interval; an integer if both its bounds are.

    Attributes:
        fields: dotted paths.
        low: the least value.
        high: the greatest value.
        logarithmic: whether the logarithm of the value is drawn uniformly, not the value itself.
    """

    fields: tuple[str, ...]
    low: float
    high: float
    logarithmic: bool

    @property
    def is_integer(self) -> bool:
        """Whether integers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def draw(self, generator: np.random.Generator) -> Choice:
        """Draws a value, uniformly or log-uniformly."""
        if self.is_integer and not self.logarithmic:
            return self.choose(int(generator.integers(self.low, self.high, endpoint=True)))
        if self.logarithmic:
            # Wider, as rounding would make the bounds half as likely as they should be.
            wider = 0.5 if self.is_integer else 0.0
            low, high = math.log(self.low - wider), math.log(self.high + wider)
            drawn = math.exp(generator.uniform(low, high))
        else:
            drawn = generator.uniform(self.low, self.high)
        return self.choose(drawn)

    def choose(self, drawn: float) -> Choice:
        """Chooses a value, rounded to what names show but within the interval."""
        short = round(drawn) if self.is_integer else float(f"{drawn:.{DIGITS}g}")
        value = min(max(short, self.low), self.high)
        return Choice(self.fields, value, repr(value))


def parse_grid(text: str, file: Path) -> list[Choice]:
    """Reads FIELD=VALUE,VALUE or FIELD+FIELD=VALUE,VALUE: one axis of a grid.

    Values are Python expressions that may use the names in the experiment's file and the modules
    `losses`, `optimizers` and `penalties`. A class stands for an object with its defaults, and any
    other single word for itself, as a string.

    Raises:
        RequestError: the text has another form, or a value cannot be evaluated.
    """
    fields, values = _split(text, "--grid", "FIELD=VALUE,VALUE")
    try:
        listed = ast.parse(f"[{values}]", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise RequestError(f"--grid {text}: {values} are not Python values") from error
    if not isinstance(listed, ast.List):
        raise RequestError(f"--grid {text}: {values} are not values with commas between them")
    words = [ast.unparse(node) for node in listed.elts]
    if not words:
        raise RequestError(f"--grid {text}: give at least one value")
    names = KNOWN | vars(serialisation.load_file(file))
    return [Choice(fields, _evaluated(word, names, text), word) for word in words]


def parse_range(text: str) -> Range:
    """Reads FIELD=LOW:HIGH, uniform, or FIELD=log:LOW:HIGH, log-uniform.

    Raises:
        RequestError: the text has neither form, or the interval is empty.
    """
    right = "FIELD=LOW:HIGH or FIELD=log:LOW:HIGH"
    fields, interval = _split(text, "--draw", right)
    logarithmic = interval.startswith("log:")
    try:
        low, high = map(_number, interval.removeprefix("log:").split(":"))
    except ValueError as error:
        raise RequestError(f"--draw {text}: give {right}, with two numbers") from error
    if not low < high or (logarithmic and low <= 0) or max(abs(low), abs(high)) > LARGEST:
        bounds = "0 < LOW < HIGH" if logarithmic else "LOW < HIGH"
        raise RequestError(f"--draw {text}: must be {bounds}, and at most {LARGEST:g}")
    return Range(fields, low, high, logarithmic)


def draw(ranges: Sequence[Range], count: int, key: int) -> list[list[Choice]]:
    """Draws values of all ranges `count` times, all different.

    Draw number n depends on n and the key only, not on the count.

    Raises:
        RequestError: there are not so many different values.
    """
    drawn: list[list[Choice]] = []
    for index in range(TRIES * count):
        generator = np.random.default_rng([key, index])
        choices = [each.draw(generator) for each in ranges]
        if choices not in drawn:
            drawn.append(choices)
        if len(drawn) == count:
            return drawn
    raise RequestError(f"--draws {count}: only {len(drawn)} different draws were found")


def product(
    base: Experiment, axes: Sequence[Sequence[Choice]], drawn: Sequence[Sequence[Choice]] = ((),)
) -> Configurations:
    """Combines every choice of each axis with all others, and with all choices of each draw.

    Raises:
        RequestError: a field does not exist or is named twice, a value does not fit, or two
            configurations are equal.
    """
    combined = itertools.product(itertools.product(*axes), drawn)
    return distinct(configuration(base, [*chosen, *more]) for chosen, more in combined)


def configuration(base: Experiment, choices: Sequence[Choice]) -> tuple[str, Experiment]:
    """Applies choices to an experiment.

    Returns:
        A name that says what they are, and the changed experiment.

    Raises:
        RequestError: a field does not exist or is named twice, or a value does not fit.
    """
    fields = [field for choice in choices for field in choice.fields]
    if twice := [field for field in fields if fields.count(field) > 1]:
        raise RequestError(f"field {twice[0]} is given twice")
    if set(serialisation.LENGTH_FIELDS) <= set(fields):
        raise RequestError("fields steps and epochs: give one of the two")
    if "seed" in fields:
        raise RequestError("field seed: give --seeds 0:4")
    experiment = base
    for choice in choices:
        for field in choice.fields:
            experiment = with_field(experiment, field, choice.value)
    return file_name(",".join(map(str, choices))) or UNCHANGED, experiment


def from_file(file: Path) -> Configurations:
    """Collects the configurations that the function `experiments()` of a Python file yields.

    Raises:
        RequestError: there is no such function, or it yields anything but (name, experiment).
    """
    experiments = getattr(serialisation.load_file(file), "experiments", None)
    if not callable(experiments):
        raise RequestError(f"{file} must define `experiment = ...` or a function `experiments()`")
    pairs = []
    for pair in experiments():
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[1], Experiment)):
            raise RequestError(f"{file}: experiments() must yield (name, experiment), not {pair!r}")
        name, experiment = pair
        if not isinstance(name, str) or not name or name != file_name(name) or name in RESERVED:
            wrong = f"{file}: the name {name!r} cannot be used for a configuration's folder"
            right = file_name(f"configuration_{name}" if name in RESERVED else str(name)) or "a"
            raise RequestError(f"{wrong}; {right!r} can, for example")
        pairs.append((name, experiment))
    return distinct(pairs)


def distinct(pairs: Iterable[tuple[str, Experiment]]) -> Configurations:
    """Collects configurations with distinct names and values.

    Raises:
        RequestError: there are none, or two have the same name, or are equal.
    """
    found: Configurations = {}
    names: dict[Experiment, str] = {}
    for name, experiment in pairs:
        if name in found:
            raise RequestError(f"two configurations are named {name}")
        if experiment in names:
            raise RequestError(f"the configurations {names[experiment]} and {name} are equal")
        found[name] = experiment
        names[experiment] = name
    if not found:
        raise RequestError("no configurations to train")
    return found


def with_field(value: Any, path: str, new: Any) -> Any:
    """Returns a copy of an experiment, or of a part of one, with a field set to another value.

    Args:
        value: the experiment or part.
        path: dotted path of the field; items of tuples are numbered from 0.
        new: the value of the field.

    Raises:
        RequestError: there is no such field, or the value does not fit.
    """
    name, dot, rest = path.partition(".")
    inside = _fields(value)
    if name not in inside:
        deeper = [key for key, part in inside.items() if name in _fields(part)]
        close = f"; did you mean '{deeper[0]}.{name}'?" if deeper else nearest(name, inside)
        raise RequestError(f"no field {name!r} in {type(value).__name__}{close}")
    changed = inside | {name: with_field(inside[name], rest, new) if dot else new}
    if isinstance(value, tuple):
        return tuple(changed.values())
    if isinstance(value, dict):
        return changed
    if isinstance(value, Experiment) and path in serialisation.LENGTH_FIELDS:
        changed = inside | dict.fromkeys(serialisation.LENGTH_FIELDS) | {path: new}
    try:
        return type(value)(**changed)
    except (TypeError, OverflowError) as error:
        raise RequestError(f"{type(value).__name__}.{name} = {new!r}: {error}") from error


def _fields(value: Any) -> dict[str, Any]:
    """Returns the parts of a value by the names that paths have for them."""
    if isinstance(value, tuple):
        return {str(index): item for index, item in enumerate(value)}
    if isinstance(value, dict):
        return value
    if dataclasses.is_dataclass(value):
        return {field: getattr(value, field) for field in serialisation.fields(value)}
    return {}


def file_name(text: str) -> str:
    """Replaces what does not belong in the name of a folder, and shortens the rest."""
    name = re.sub(r"[^\w.,=+-]+", "-", text).strip("-").lstrip(".")
    return name.encode()[:LONGEST_NAME].decode(errors="ignore")


def _brief(word: str) -> str:
    """Leaves out modules and outer brackets: losses.Minimax() becomes Minimax."""
    brief = re.sub(r"\b(?:[a-z_]\w*\.)+(?=[A-Za-z_])", "", word)
    return "none" if brief == "()" else brief.replace("()", "").strip("()[], ")


def _split(text: str, option: str, right: str) -> tuple[tuple[str, ...], str]:
    fields, sign, values = text.partition("=")
    names = tuple(name.strip().replace("-", "_") for name in fields.split("+"))
    if not sign or not all(names):
        raise RequestError(f"{option} {text}: give {right}")
    return names, values


def _evaluated(word: str, names: Mapping[str, Any], text: str) -> Any:
    # These are the user's own words, as is the experiment's file, which is executed too.
    try:
        value = eval(word, dict(names))
    except NameError as error:
        if word.isidentifier():
            return word
        raise RequestError(f"--grid {text}: {error}{nearest(error.name or '', names)}") from error
    except AttributeError as error:
        close = nearest(error.name or "", dir(error.obj))
        raise RequestError(f"--grid {text}: {error}{close}") from error
    except (Exception, SystemExit) as error:
        raise RequestError(f"--grid {text}: {word} raises {error!r}") from error
    return value() if isinstance(value, type) and dataclasses.is_dataclass(value) else value


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not math.isfinite(number):
            raise
        return number
