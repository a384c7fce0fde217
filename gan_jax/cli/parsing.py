"""From the words of a command line to a command: tyro, and the fields of the experiment named."""

import collections.abc
import dataclasses
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import FlagConversionOff, FlagCreatePairsOff, arg
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from gan_jax.cli.commands import COMMANDS, Sweep, Train
from gan_jax.common.errors import RequestError


def parse(arguments: list[str]) -> Any:
    """Reads the words after `gan-jax`.

    Returns:
        An instance of one of the classes in `gan_jax.cli.commands`; of `train` and `sweep` with the
        resolved `experiment` besides, where a file with one is named. Exits where tyro refuses.

    Raises:
        RequestError: the file that is named is no experiment, or options exclude each other.
    """
    commands = dict(COMMANDS)
    name = arguments[0] if arguments else None
    prog = f"gan-jax {name}"
    if commands.get(name) in (Train, Sweep) and (file := _file_of(arguments)):
        commands[name] = _with_fields(file, arguments, commands[name])
        prog += f" {file}"  # the page of help that tyro's messages name has all fields
    if "--help" in arguments:  # tyro leaves out of the help what stands before the flag
        arguments = [*arguments[:1], "--help"]
    with _functions_by_name:
        if name in commands:
            return tyro.cli(
                commands[name],
                prog=prog,
                args=arguments[1:],
                config=(FlagCreatePairsOff,),
            )
        return tyro.extras.subcommand_cli_from_dict(
            commands,
            args=arguments,
            prog="gan-jax",
            description="Train generative adversarial networks, and use what was trained.",
        )


_functions_by_name = ConstructorRegistry()


@_functions_by_name.primitive_rule
def _function_by_name(field: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """Lets fields that hold functions be given as module:function, jax.nn:gelu for example."""
    if collections.abc.Callable not in (field.type, field.type_origin):
        return None
    from gan_jax.runs.serialisation import decode, encode

    def found(words):
        function = decode({"function": words[0]}) if ":" in words[0] else None
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


def _file_of(arguments: list[str]) -> Path | None:
    """The experiment's file, where one is named."""
    return next((Path(word) for word in arguments[1:] if word.endswith(".py")), None)


def _with_fields(file: Path, arguments: list[str], kind: type) -> type:
    """Adds to the arguments of a command every field of the experiment whose file is named."""
    from gan_jax.runs.serialisation import load_experiment, load_file

    if kind is Sweep and not hasattr(load_file(file), "experiment"):
        return kind
    experiment = load_experiment(file)
    # Either gives the length of a run: naming one takes the place of the other. The 1 is only there
    # to be overridden.
    named = {a.split("=")[0] for a in arguments}
    if {"--seed", "--seeds"} <= named:
        raise RequestError("--seed and --seeds: give one of the two")
    if "--steps" in named and "--epochs" not in named and experiment.epochs:
        experiment = dataclasses.replace(experiment, steps=1, epochs=None)
    if "--epochs" in named and "--steps" not in named and experiment.steps:
        experiment = dataclasses.replace(experiment, steps=None, epochs=1)
    named_by_path = Annotated[type(experiment), arg(name=""), FlagConversionOff]
    field = ("experiment", named_by_path, experiment)
    parser = dataclasses.make_dataclass(kind.__name__, [field], bases=(kind,), frozen=True)
    parser.__doc__ = kind.__doc__
    return parser
