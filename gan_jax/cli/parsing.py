"""From the words of a command line to a command, by tyro.

A command has one or more forms, each of which is a frozen dataclass: its fields are the options,
with types, defaults and help, and its method `run` is what the command does. The form is chosen by
the words given, and takes no options but its own.
"""

import abc
import collections.abc
import dataclasses
import difflib
import itertools
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

import tyro
from tyro.conf import FlagConversionOff, FlagCreatePairsOff, Positional, Suppress, arg
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from gan_jax.common.errors import RequestError
from gan_jax.common.exit_codes import FINISHED

SIMILAR = 0.8  # of two names, for a misspelling; fields of an experiment must be less similar
ARGUMENT, HIDDEN = (typing.get_args(marked[int])[1] for marked in (Positional, Suppress))


class Command(abc.ABC):
    """One form of a command; subclasses are frozen dataclasses whose fields are its options.

    A form with a field `experiment` also takes every field of the experiment whose file is named,
    by its dotted path, and has the resolved experiment there.

    Attributes:
        USAGE: what follows `gan-jax` in this form, in short.
        FIELDS_REQUIRED: whether the named file must define `experiment`.
    """

    USAGE: ClassVar[str]
    FIELDS_REQUIRED: ClassVar[bool] = True

    @classmethod
    def fits(cls, words: Sequence[str]) -> bool:
        """Whether this is the form that the words after the command's name are meant for."""
        return True

    @abc.abstractmethod
    def run(self) -> int:
        """Does what the command is for, and returns its exit code."""


class Needs(NamedTuple):
    """Marks an option that means nothing without another: `Annotated[int, Needs("--draw")]`.

    Attributes:
        option: the other one, with its hyphens.
        value: what it must be given; anything if empty.
    """

    option: str
    value: str = ""

    def is_met(self, words: Sequence[str]) -> bool:
        """Whether the other option is among these words."""
        if not self.value:
            return self.option.strip("-") in options_of(words)
        apart = (self.option, self.value) in itertools.pairwise(words)
        return apart or f"{self.option}={self.value}" in words

    def __str__(self) -> str:
        return f"{self.option} {self.value}".strip()


def parse(name: str, forms: Sequence[type[Command]], words: list[str]) -> Command:
    """Reads the words after `gan-jax NAME`; exits where tyro refuses them, or prints help.

    Args:
        name: of the command.
        forms: those that it has.
        words: what was given.

    Raises:
        RequestError: the file that is named is not an experiment, or options do not go together.
    """
    if not words and len(forms) > 1:
        raise RequestError(f"give {' or '.join(map(_usage, forms))}")
    prog = f"gan-jax {name}"
    for_help = {"-h", "--help"} & set(words)
    if for_help and len(words) == 1 and len(forms) > 1:
        _print_help(prog, forms)
        sys.exit(FINISHED)
    form = next(form for form in forms if form.fits(words))
    if not for_help:
        _refuse_misplaced(form, forms, words)
    file = experiment_file(words)
    if file and "experiment" in (field.name for field in dataclasses.fields(form)):
        form = _with_fields(form, file, words)
        prog += f" {file}"  # the page of help that tyro's messages name has all fields
    # tyro leaves out of the help what stands before the flag.
    return _call_tyro(form, prog, ["--help"] if for_help else words)


def experiment_file(words: Sequence[str]) -> Path | None:
    """The experiment's file, where one is named as an argument, and not with --file."""
    pairs = itertools.pairwise(["", *words])
    return next((Path(w) for before, w in pairs if w.endswith(".py") and before != "--file"), None)


def options_of(words: Sequence[str]) -> set[str]:
    """Names of the options that are given, as their fields are called."""
    flags = (word.partition("=")[0] for word in words if word.startswith("--"))
    return {flag.removeprefix("--").replace("-", "_") for flag in flags}


def _call_tyro(form: type[Command], prog: str, words: list[str]) -> Command:
    with _functions_by_name:
        return tyro.cli(form, prog=prog, args=words, config=(FlagCreatePairsOff,))


def _print_help(prog: str, forms: Sequence[type[Command]]) -> None:
    """Prints the help of all forms of a command, one below the other."""
    for form in forms:
        print(f"gan-jax {form.USAGE}\n")
        try:
            _call_tyro(form, prog, ["--help"])
        except SystemExit:  # which is how tyro ends; there are more to print
            print()


def _refuse_misplaced(
    form: type[Command], forms: Sequence[type[Command]], words: Sequence[str]
) -> None:
    """Refuses options of other forms, and those that need one that is not there."""
    given, own = options_of(words), _options(form)
    of_others = {name: other for other in forms for name in _options(other).keys() - own.keys()}
    for name in sorted(given - own.keys()):
        if others := [other for other in forms if name in _options(other)]:
            right = " and ".join(map(_usage, others))
            raise RequestError(f"{_flag(name)}: is for {right}, not for {_usage(form)}")
        # A misspelled option of this form is tyro's to name, as are fields of an experiment.
        near = difflib.get_close_matches(name, {*own, *of_others}, n=1, cutoff=SIMILAR)
        if near and near[0] in of_others:
            right = f"did you mean {_flag(near[0])}, of {_usage(of_others[near[0]])}?"
            raise RequestError(f"{_flag(name)}: there is no such option; {right}")
    for name in sorted(given & own.keys()):
        for marker in own[name]:
            if isinstance(marker, Needs) and not marker.is_met(words):
                raise RequestError(f"{_flag(name)}: needs {marker}")


def _options(form: type[Command]) -> dict[str, tuple[Any, ...]]:
    """The markers of each option of a form; positional arguments are not options."""
    hints = typing.get_type_hints(form, include_extras=True)
    markers = {
        field.name: getattr(hints[field.name], "__metadata__", ())
        for field in dataclasses.fields(form)
    }
    hidden = (ARGUMENT, HIDDEN)
    return {
        name: found
        for name, found in markers.items()
        if not any(marker in hidden for marker in found)
    }


def _usage(form: type[Command]) -> str:
    return f"`gan-jax {form.USAGE}`"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _with_fields(form: type[Command], file: Path, words: Sequence[str]) -> type[Command]:
    """Makes every field of the experiment in a file an option of a form."""
    from gan_jax.runs.serialisation import load_experiment, load_file

    if not (form.FIELDS_REQUIRED or hasattr(load_file(file), "experiment")):
        return form
    experiment = load_experiment(file)
    given = options_of(words)
    for name in sorted(given & {field.name for field in dataclasses.fields(experiment)}):
        if dataclasses.is_dataclass(value := getattr(experiment, name)):
            kind = type(value).__name__
            raise RequestError(
                f"{_flag(name)}: is a {kind} object, of which only fields can be given here, as "
                f"{_flag(name)}.FIELD; change it in {file}, or try several with `gan-jax sweep "
                f"{file} --grid {name}=...`"
            )
    if {"seed", "seeds"} <= given:
        raise RequestError("--seed and --seeds: give one of the two")
    if "seed" in given and form.seeds:
        raise RequestError(f"--seed: give all seeds at once, --seeds {form.seeds} for example")
    # Either gives the length of a run: naming one takes the place of the other. The 1 is only there
    # to be overridden.
    if "steps" in given and "epochs" not in given and experiment.epochs:
        experiment = dataclasses.replace(experiment, steps=1, epochs=None)
    if "epochs" in given and "steps" not in given and experiment.steps:
        experiment = dataclasses.replace(experiment, steps=None, epochs=1)
    named_by_path = Annotated[type(experiment), arg(name=""), FlagConversionOff]
    field = ("experiment", named_by_path, experiment)
    extended = dataclasses.make_dataclass(form.__name__, [field], bases=(form,), frozen=True)
    extended.__doc__ = form.__doc__
    return extended


_functions_by_name = ConstructorRegistry()


@_functions_by_name.primitive_rule
def _function_by_name(field: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """Lets fields that hold functions be given as module:function, jax.nn:gelu for example."""
    if collections.abc.Callable not in (field.type, field.type_origin):
        return None
    from gan_jax.runs.serialisation import encode, named

    def found(words):
        function = named(words[0]) if ":" in words[0] else None
        if not callable(function):
            raise ValueError("give MODULE:FUNCTION, jax.nn:gelu for example")
        return function

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="MODULE:FUNCTION",
        instance_from_str=found,
        is_instance=callable,
        str_from_instance=lambda function: [encode(function).get("function", repr(function))],
    )
