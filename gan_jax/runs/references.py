"""Which classes and functions may be built from files that somebody else may have written.

Threat model. A run directory may come from a stranger, and its config.json or sweep.json names
classes and functions. Opening it must not run anything that the stranger chose: importing a module
runs it, calling a function runs it, and so may looking up an attribute. Therefore `check` goes
through a whole record, at every depth and before anything is imported, and admits only

- dataclasses (Linen modules are some) from the parts of this package that make up an experiment:
  these are constructed;
- functions from the parts of this package, JAX, Flax and optax that networks, losses and optimizers
  are made of, as values that decoding does not call; without those that read or write files;
- where the record is trusted (see `gan_jax.runs.trust`), also code of the user's own.

Not covered: a folder on PYTHONPATH that a stranger may write to; a library that was replaced; what
tensorflow-datasets does with a `data_dir` that a record names and a stranger filled, when its data
are loaded; and an experiment file named on the command line, which is code and is run as such.
"""

import dataclasses
import functools
import importlib
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gan_jax.common.errors import RequestError

CLASSES = (
    "gan_jax.augmentation",
    "gan_jax.data",
    "gan_jax.experiment",
    "gan_jax.features",
    "gan_jax.guard",
    "gan_jax.losses",
    "gan_jax.networks",
    "gan_jax.optimizers",
    "gan_jax.penalties",
)
# Records name jitted functions by the private module of JAX that defines them.
FUNCTIONS = (
    "flax.linen",
    "gan_jax.augmentation",
    "gan_jax.losses",
    "gan_jax.networks",
    "gan_jax.ops",
    "gan_jax.optimizers",
    "gan_jax.penalties",
    "jax._src.lax",
    "jax._src.nn",
    "jax._src.numpy",
    "jax.lax",
    "jax.nn",
    "jax.numpy",
    "optax",
)
LIBRARIES = ("flax", "gan_jax", "jax", "jaxlib", "optax")  # of which nothing else is admitted
FILE_ACCESS = {"fromfile", "load", "save", "savez"}  # of jax.numpy
DEEPEST = 100  # levels of a record; experiments have about ten
_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")

# Folders of the experiment files that this process was told to run.
folders: set[Path] = set()


def check(encoded: Any, depth: int = 0) -> list[str]:
    """Checks every reference in a record, without importing anything.

    Args:
        encoded: an experiment as `serialisation.encode` returns it, or any part of one.
        depth: of this part in the record.

    Returns:
        The references to code of the user's own, which only a trusted record may have; each once.

    Raises:
        RequestError: a part is not what `encode` makes, or names what no record may name.
    """
    if depth > DEEPEST:
        raise RequestError(f"the record is nested more than {DEEPEST} levels deep")
    if encoded is None or isinstance(encoded, bool | int | float | str):
        return []
    if isinstance(encoded, list):
        return _merged(check(item, depth + 1) for item in encoded)
    if not isinstance(encoded, dict):
        raise RequestError(f"holds a {type(encoded).__name__}")
    if "class" in encoded:
        own = _own(encoded["class"], is_class=True)
        inner = [check(item, depth + 1) for name, item in encoded.items() if name != "class"]
        return _merged([own, *inner])
    if set(encoded) == {"function"}:
        return _own(encoded["function"], is_class=False)
    if set(encoded) == {"dict"}:
        pairs = encoded["dict"]
        if not isinstance(pairs, list) or any(
            not isinstance(pair, list) or len(pair) != 2 for pair in pairs
        ):
            raise RequestError("holds a dictionary that is not a list of pairs")
        return _merged(check(item, depth + 1) for pair in pairs for item in pair)
    raise RequestError(f"holds an object with {', '.join(map(repr, encoded)) or 'nothing'}")


def not_loaded(own: Iterable[str]) -> list[str]:
    """References to code that this process has not been told to run.

    It has been for an experiment's file, and for what that file imported from its folder.
    """
    return [reference for reference in own if not _is_loaded(reference.partition(":")[0])]


def _is_loaded(module: str) -> bool:
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is not None and not folders.isdisjoint(Path(file).parents)


def resolve(reference: str, *, is_class: bool, trusted: bool) -> Any:
    """Imports the class or function that a reference names, if that is allowed.

    Args:
        reference: 'module:name'.
        is_class: whether it is to be constructed.
        trusted: whether code of the user's own may be imported.

    Raises:
        RequestError: it is not allowed, or not there.
    """
    own = _own(reference, is_class=is_class)
    if not_loaded(own) and not trusted:
        raise RequestError(f"{reference} is not part of gan_jax, and the record is not trusted")
    module, _, name = reference.partition(":")
    try:
        found = functools.reduce(getattr, name.split("."), importlib.import_module(module))
    except (ImportError, AttributeError) as error:
        raise RequestError(f"{reference} no longer exists: {error}") from error
    library = module.partition(".")[0]
    is_dataclass = isinstance(found, type) and dataclasses.is_dataclass(found)
    right = is_dataclass if is_class else callable(found) and not isinstance(found, type)
    # What a module has merely imported is not its own.
    if not right or not (own or _within(str(getattr(found, "__module__", "")), (library,))):
        raise RequestError(
            f"{reference} is not a {'dataclass' if is_class else 'function'} of {library}"
        )
    return found


def _own(reference: Any, *, is_class: bool) -> list[str]:
    """A reference to the user's own code, in a list; [] for what every record may name.

    Raises:
        RequestError: no record may name it.
    """
    module, _, name = reference.partition(":") if isinstance(reference, str) else ("", "", "")
    if not (_NAME.fullmatch(module) and _NAME.fullmatch(name)):
        raise RequestError(f"{reference!r} is not of the form 'module:name'")
    if any(part.startswith("__") and part != "__main__" for part in reference.split(".")):
        raise RequestError(f"{reference} is a special name of Python")
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names and top != "__main__":
        raise RequestError(f"{reference} belongs to Python, and not to an experiment")
    if top not in LIBRARIES:
        return [reference]
    admitted = _within(module, CLASSES if is_class else FUNCTIONS)
    if not admitted or "." in name or name in FILE_ACCESS:
        raise RequestError(f"{reference} is not part of an experiment")
    return []


def _within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _merged(lists: Iterable[list[str]]) -> list[str]:
    return list(dict.fromkeys(item for found in lists for item in found))
