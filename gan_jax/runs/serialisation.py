"""Loading experiments from Python files, and converting them to JSON and back."""

import contextlib
import dataclasses
import functools
import importlib
import importlib.util
import itertools
import re
import sys
import traceback
from pathlib import Path
from typing import Any

from gan_jax.common.errors import RequestError
from gan_jax.common.reading import check_regular
from gan_jax.common.validation import nearest
from gan_jax.data.sources.decode import MOST_PIXELS
from gan_jax.experiment import Experiment
from gan_jax.runs import references

LENGTH_FIELDS = ("steps", "epochs")  # of an experiment, which has one of the two
FLAX_FIELDS = ("parent", "name")  # which Flax adds to every Linen module

# Modules whose names earlier versions recorded, and where their classes and functions are found
# now. Runs never expire: a module that moves gets a line here.
MOVED = {
    "gan_jax.data.arrays": "gan_jax.data.sources",
    "gan_jax.data.folder": "gan_jax.data.sources",
    "gan_jax.data.stacked": "gan_jax.data.sources",
    "gan_jax.data.tfds": "gan_jax.data.sources",
    "gan_jax.metrics.features": "gan_jax.features",
    "gan_jax.metrics.inception": "gan_jax.features",
    "gan_jax.metrics.nearest_mode": "gan_jax.features",
}

# Fields that earlier versions did not record, with the value that means what those versions did.
# They had no limit of their own on pixels; an image above it that was read makes other data, which
# a resumed run notices by their content.
ADDED = {
    "gan_jax.data.sources:Folder": {"most_pixels": MOST_PIXELS},
    "gan_jax.data.sources:Tfds": {"most_pixels": MOST_PIXELS},
    "gan_jax.features:Classifier": {"bundled": "mnist"},
    "gan_jax.experiment:Experiment": {"generator_batch": "shared", "ema_schedule": None},
    "gan_jax.networks.r3gan:Discriminator": {"embedding": 0},
    "gan_jax.optimizers:Adam": {"form": "keras"},
    "gan_jax.optimizers:Schedule": {"start": 1.0},
}

# Fields that earlier versions recorded under another name.
RENAMED = {
    "gan_jax.experiment:Experiment": {"device_memory_share": "device_memory_fraction"},
    "gan_jax.losses:TopK": {"share": "fraction"},
}


def load_experiment(path: Path) -> Experiment:
    """Runs a Python file and returns the `experiment` that it defines.

    The file's folder is added to the import path, so that one experiment can build on another:
    `from dcgan_mnist import experiment as base`.

    Raises:
        RequestError: the file does not exist, raises an exception, or defines no `experiment`.
    """
    experiment = getattr(load_file(path), "experiment", None)
    if not isinstance(experiment, Experiment):
        found = "nothing of that name" if experiment is None else type(experiment).__name__
        raise RequestError(f"{path} must define `experiment = Experiment(...)`; it has {found}")
    return experiment


def load_file(path: Path) -> Any:
    """Runs a Python file and returns its module.

    Raises:
        RequestError: the file does not exist, is not a regular file or raises an exception.
    """
    if not path.exists():
        others = [str(p) for p in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise RequestError(f"no experiment file {str(path)!r}{nearest(str(path), others)}")
    check_regular(path)
    references.folders.add(path.resolve().parent)
    return _import_file(path)


def encode(value: Any) -> Any:
    """Converts an experiment, or any part of one, to values that JSON can hold.

    Objects become {"class": "module:Class", field: ...}, functions {"function": "module:name"}.

    Raises:
        RequestError: a part cannot be imported by name (a lambda, a local function) or is not a
            dataclass.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {"dict": [[encode(name), encode(item)] for name, item in value.items()]}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"class": _reference(type(value))} | {
            field: encode(getattr(value, field)) for field in fields(value)
        }
    if callable(value):
        return {"function": _reference(value)}
    raise RequestError(f"an experiment cannot hold {value!r}: make its class a frozen dataclass")


def decode(value: Any, *, trusted: bool = False) -> Any:
    """Converts the result of `encode` back to objects; lists become tuples.

    Args:
        value: what `encode` returned, or what somebody else wrote; see `gan_jax.runs.references`.
        trusted: whether it may import code that is not of this package.

    Raises:
        RequestError: it names what it may not name, a module or name is no longer there, or a field
            no longer fits; nothing was imported in the first case.
    """
    unknown = references.not_loaded(references.check(value))
    if unknown and not trusted:
        raise RequestError(f"needs {', '.join(unknown)}, which is not part of gan_jax")
    return _built(value, trusted)


def up_to_date(encoded: Any, depth: int = 0) -> Any:
    """Converts what an earlier version encoded to this version's names: MOVED, RENAMED, ADDED.

    Raises:
        RequestError: it is nested deeper than any experiment.
    """
    if depth > references.DEEPEST:
        raise RequestError(f"the record is nested more than {references.DEEPEST} levels deep")
    if isinstance(encoded, list):
        return [up_to_date(item, depth + 1) for item in encoded]
    if not isinstance(encoded, dict):
        return encoded
    result = {name: up_to_date(item, depth + 1) for name, item in encoded.items()}
    for kind in ("class", "function"):
        if isinstance(reference := result.get(kind), str):
            module, colon, name = reference.partition(":")
            now = f"{MOVED.get(module, module)}{colon}{name}"
            renamed = RENAMED.get(now, {})
            result = {renamed.get(field, field): item for field, item in result.items()}
            result = ADDED.get(now, {}) | result | {kind: now}
    return result


def fields(value: Any) -> list[str]:
    """Returns the names of a dataclass's own fields, without those that Flax adds to modules."""
    names = [field.name for field in dataclasses.fields(value) if field.init]
    return [n for n in names if n not in FLAX_FIELDS or not hasattr(value, "apply")]


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Lists where two encoded values differ, one line each, as 'generator.width: 64 -> 32'."""
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        old, new = dict(enumerate(old)), dict(enumerate(new))
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [] if old == new else [f"{path}: {old!r} -> {new!r}"]
    found = []
    for name in dict.fromkeys([*old, *new]):
        inner = f"{path}.{name}" if path else str(name)
        found += differences(old.get(name), new.get(name), inner)
    return found


def make_importable(path: Path) -> None:
    """Makes a Python file, and the modules in its folder, importable by their names.

    Raises:
        RequestError: the file must be run for that, as it has another name, and raises an error.
    """
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    if module_name(path) != path.stem:
        _import_file(path)


def module_name(path: Path) -> str:
    """Returns the name of a Python file as a module: my-gan.py is the module my_gan."""
    name = re.sub(r"\W", "_", path.stem)
    return name if name.isidentifier() else f"_{name}"


def _import_file(path: Path) -> Any:
    path = path.resolve()
    name = module_name(path)
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        return loaded
    if _is_taken(name, path):
        others = (f"{name}_{number}" for number in itertools.count(2))
        free = next(other for other in others if not _is_taken(other, path))
        raise RequestError(
            f"{path.name} has the name of another module, {name}: rename it, for example to "
            f"{free}.py"
        )
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    specification = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except RequestError as error:
        del sys.modules[name]
        raise RequestError(f"{path}{_line(error, path)}: {error}") from error
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        kind = type(error).__name__
        raise RequestError(f"{path}{_line(error, path)} raises {kind}: {error}") from error
    return module


def _is_taken(name: str, path: Path) -> bool:
    """Whether a file cannot be the module of that name, as another one is."""
    beside = path.with_name(f"{name}.py")
    of_file = beside != path and beside.is_file()
    return name in sys.modules or name in sys.stdlib_module_names or of_file


def _line(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f", line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return f", line {lines[-1]}" if lines else ""


def _built(value: Any, trusted: bool) -> Any:
    if isinstance(value, list):
        return tuple(_built(item, trusted) for item in value)
    if not isinstance(value, dict):
        return value
    if "class" in value:
        reference = value["class"]
        built = {name: _built(item, trusted) for name, item in value.items() if name != "class"}
        try:
            return references.resolve(reference, is_class=True, trusted=trusted)(**built)
        except TypeError as error:
            raise RequestError(
                f"{reference} no longer takes the fields of the run: {error}"
            ) from error
    if "dict" in value:
        return {_built(name, trusted): _built(item, trusted) for name, item in value["dict"]}
    return references.resolve(value["function"], is_class=False, trusted=trusted)


def _reference(value: Any) -> str:
    """Returns "module:name" of a class or function, with the outermost package that exports it."""
    name = getattr(value, "__qualname__", repr(value))
    parts = getattr(value, "__module__", type(value).__module__).split(".")
    for length in range(1, len(parts) + 1):
        reference = f"{'.'.join(parts[:length])}:{name}"
        with contextlib.suppress(RequestError):
            if named(reference) is value:
                return reference
    raise RequestError(
        f"{value!r} cannot be imported as {'.'.join(parts)}:{name}: "
        "define it by name at the top level of a module"
    )


def named(reference: str) -> Any:
    """Imports what 'module:name' names: for references of the user's own, never of a file's.

    Raises:
        RequestError: it is not there.
    """
    module, _, name = reference.partition(":")
    try:
        return functools.reduce(getattr, name.split("."), importlib.import_module(module))
    except (ImportError, AttributeError) as error:
        raise RequestError(f"{reference} no longer exists: {error}") from error
