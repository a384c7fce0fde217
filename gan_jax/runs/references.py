"""Which classes and functions may be built from files that somebody else may have written.

Threat model. A run directory may come from a stranger, and its config.json or sweep.json names
classes and functions. Opening it must not run anything that the stranger chose: importing a module
runs it, calling a function runs it, and so may looking up an attribute. Therefore `check` goes
through a whole record, at every depth and before anything is imported, and admits only

- dataclasses (Linen modules are some) from the parts of this package that make up an experiment:
  these are constructed;
- public functions of optax and of `gan_jax.optimizers`, which `FromOptax` calls with what the
  record holds, and which call nothing else that the record names;
- public functions of JAX, of Flax and of this package as values, which networks and losses call
  with arrays; without those that read or write files;
- where the record is trusted (see `gan_jax.runs.trust`), also code of the user's own.

Names are looked up in the modules that are listed here, never along a path that a record chooses.

Not covered: a folder on PYTHONPATH that a stranger may write to; a library that was replaced; what
tensorflow-datasets does with a `data_dir` that a record names and a stranger filled, when its data
are loaded; and an experiment file named on the command line, which is code and is run as such.
"""

import dataclasses
import importlib
import re
import sys
from collections.abc import Iterable, Sequence
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
    "gan_jax.ops",
    "gan_jax.optimizers",
    "gan_jax.penalties",
)
FUNCTIONS = (
    "gan_jax.augmentation",
    "gan_jax.losses",
    "gan_jax.networks",
    "gan_jax.ops",
    "gan_jax.optimizers",
    "gan_jax.penalties",
)
# Where the functions of libraries are looked up, by the module that a record names. Records name
# jitted functions by the private module of JAX that defines them.
PUBLIC = {
    "flax.linen": ("flax.linen", "flax.linen.initializers"),
    "jax._src.lax": ("jax.lax",),
    "jax._src.nn": ("jax.nn", "jax.nn.initializers"),
    "jax._src.numpy": ("jax.numpy",),
    "jax.lax": ("jax.lax",),
    "jax.nn": ("jax.nn", "jax.nn.initializers"),
    "jax.numpy": ("jax.numpy",),
    "optax": ("optax", "optax.contrib"),
}
CALLED = ("gan_jax.optimizers", "optax", "optax.contrib")  # modules whose functions FromOptax calls
CALLER = "gan_jax.optimizers:FromOptax"
LIBRARIES = ("flax", "gan_jax", "jax", "jaxlib", "optax")  # of which nothing else is admitted
# Those of jax.numpy that read or write files, and those of optax that call what they are given.
EXCLUDED = {
    *("fromfile", "load", "save", "savez"),
    *("inject_hyperparams", "inject_stateful_hyperparams", "tree_map_params"),
}
INSTALLED = ("dist-packages", "site-packages")  # folders of libraries, also in a user's own folder
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
        if encoded["class"] == CALLER:
            _check_called(encoded.get("function"))
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
    return file is not None and any(is_below(Path(file), folder) for folder in folders)


def is_below(file: Path, folder: Path) -> bool:
    """Whether code lies in a folder or below it, and not in a folder of libraries there."""
    if not file.is_relative_to(folder):
        return False
    between = file.relative_to(folder).parts[:-1]
    return not any(part in INSTALLED or part.startswith(".") for part in between)


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
    places = (module,) if own or is_class else _places(module)
    try:
        found = _looked_up(places, name)
    except (ImportError, AttributeError) as error:
        raise RequestError(f"{reference} no longer exists: {error}") from error
    is_dataclass = isinstance(found, type) and dataclasses.is_dataclass(found)
    right = is_dataclass if is_class else callable(found) and not isinstance(found, type)
    # What a module has merely imported from elsewhere is not its own.
    home = module if own else module.partition(".")[0]
    if not (right and _within(str(getattr(found, "__module__", "")), (home,))):
        raise RequestError(f"{reference} is not a {'dataclass' if is_class else 'function'} there")
    return found


def _looked_up(places: Sequence[str], name: str) -> Any:
    """The object of that name in the first module that has it; beyond it, only within classes."""
    first, *inner = name.split(".")
    modules = [importlib.import_module(place) for place in places]
    found = getattr(next((m for m in modules if hasattr(m, first)), modules[0]), first)
    for step in inner:
        if not isinstance(found, type) or step not in vars(found):
            raise AttributeError(f"{found!r} is not a class that has {step}")
        found = vars(found)[step]
    return found


def _places(module: str) -> tuple[str, ...]:
    """The modules in which the functions that records name by this module are looked up."""
    public = [places for prefix, places in PUBLIC.items() if _within(module, (prefix,))]
    return public[0] if public else (module,)


def _check_called(function: Any) -> None:
    """Refuses what `FromOptax` must not call; the user's own functions are checked as all others.

    Raises:
        RequestError: it is not a function of optax or of this package's optimizers.
    """
    reference = function.get("function") if isinstance(function, dict) else None
    if not isinstance(reference, str) or set(function) != {"function"}:
        raise RequestError("an optimizer must be made by a function")
    module = reference.partition(":")[0]
    if module.partition(".")[0] in LIBRARIES and module not in CALLED:
        raise RequestError(f"{reference} does not make an optimizer")


def _own(reference: Any, *, is_class: bool) -> list[str]:
    """A reference to the user's own code, in a list; [] for what every record may name.

    Raises:
        RequestError: no record may name it.
    """
    module, _, name = reference.partition(":") if isinstance(reference, str) else ("", "", "")
    if not (_NAME.fullmatch(module) and _NAME.fullmatch(name)):
        raise RequestError(f"{reference!r} is not of the form 'module:name'")
    parts = [*module.split("."), *name.split(".")]
    if any(part.startswith("__") for part in parts[1:] if part != "__main__"):
        raise RequestError(f"{reference} is a special name of Python")
    top = parts[0]
    if top in sys.stdlib_module_names and top != "__main__":
        raise RequestError(f"{reference} belongs to Python, and not to an experiment")
    if top not in LIBRARIES:
        return [reference]
    admitted = _within(module, CLASSES if is_class else (*FUNCTIONS, *PUBLIC))
    if not admitted or "." in name or name.startswith("_") or name in EXCLUDED:
        raise RequestError(f"{reference} is not part of an experiment")
    return []


def _within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _merged(lists: Iterable[list[str]]) -> list[str]:
    return list(dict.fromkeys(item for found in lists for item in found))
