"""What a run's bits depend on besides its experiment: settings of JAX, devices, versions, code.

A record holds it for each start of a run, so that what has changed is said when it resumes. What
follows of which change stands in docs/howto/resume.md.
"""

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import jax

import gan_jax
from gan_jax.common.errors import RequestError
from gan_jax.runs import references, serialisation

# Settings of JAX, of which those that change random draws may not change within a run.
DRAWS = ("jax_enable_x64", "jax_threefry_partitionable", "jax_default_prng_impl")
ROUNDING = ("jax_default_matmul_precision", "jax_disable_jit", "jax_numpy_dtype_promotion")
COUNT_FLAG = "--xla_force_host_platform_device_count"  # which `devices` of a record shows anyway

# Parts of a record in which a resumed run may differ, in words.
ANNOUNCED = {
    "environment": "setting",
    "devices": "devices",
    "versions": "version of",
    "sources": "source of",
}


class OtherDrawsError(RequestError):
    """A run would resume with other random draws than it began with."""


def settings() -> dict[str, Any]:
    """The settings of JAX and XLA that change what is computed."""
    given = os.environ.get("XLA_FLAGS", "").split()
    flags = sorted(flag for flag in given if flag.partition("=")[0] != COUNT_FLAG)
    return {name: getattr(jax.config, name) for name in (*DRAWS, *ROUNDING)} | {
        "XLA_FLAGS": " ".join(flags)
    }


def sources(encoded: dict[str, Any], file: Path | None) -> dict[str, str]:
    """SHA-256 of the code that an experiment runs.

    These are the experiment's file, the modules and packages that were imported from its folder,
    those of its own classes and functions, and the whole of this package.

    Args:
        encoded: the experiment, as `serialisation.encode` returns it.
        file: that defines it.
    """
    own = {reference.partition(":")[0] for reference in references.check(encoded)}
    folder = file.resolve().parent if file else None
    found = {file.name: file.resolve()} if file else {}
    for name, module in list(sys.modules.items()):
        place = Path(getattr(module, "__file__", None) or ".")
        if folder and folder in (place.parent, _home(name)):
            found[place.relative_to(folder).as_posix()] = place
        elif name in own:
            found[name] = place
    hashes = {name: _sha256(path) for name, path in sorted(found.items()) if path.is_file()}
    package = sorted(Path(gan_jax.__file__).parent.rglob("*.py"))
    return hashes | {"gan_jax": _sha256(*package)}


def check_draws(earlier: dict[str, Any], record: dict[str, Any], path: Path, step: int) -> None:
    """Checks that a resumed run makes the random draws that an uninterrupted one makes.

    Args:
        earlier: the record of the run.
        record: that of its new start.
        path: the run directory.
        step: of the newest checkpoint there.

    Raises:
        OtherDrawsError: a setting that changes them is not what it was.
    """
    before = _start_of(earlier, step).get("environment")
    if not isinstance(before, dict):  # an earlier version did not record it
        return
    changed = [
        line
        for name in DRAWS
        for line in serialisation.differences(before.get(name), record["environment"][name], name)
    ]
    if changed:
        raise OtherDrawsError(
            f"the run in {path} would go on with other random draws (recorded -> now):\n  "
            + "\n  ".join(changed)
            + "\nset this back (JAX_ENABLE_X64, for example, sets jax_enable_x64); `gan-jax train` "
            "resumes nevertheless with --accept-changes"
        )


def announcement(earlier: dict[str, Any], record: dict[str, Any], step: int) -> str | None:
    """Says what has changed since the start that made a checkpoint; None if nothing has.

    Args:
        earlier: the record of the run.
        record: that of its new start.
        step: of the checkpoint.
    """
    before, changed = _start_of(earlier, step), []
    for part, words in ANNOUNCED.items():
        if part in before:
            for line in serialisation.differences(before[part], record[part]):
                name, _, values = line.partition(": ")
                shown = "" if part == "sources" else f": {values}"
                changed.append(" ".join(filter(None, (words, name))) + shown)
    if not changed:
        return None
    return (
        "warning: changed since the run was last started, so that from here on its bits may differ "
        "from those of an uninterrupted run (recorded -> now):\n  " + "\n  ".join(changed)
    )


def _home(name: str) -> Path | None:
    """The folder from which a module's outermost package was imported."""
    package = sys.modules.get(name.partition(".")[0])
    place = getattr(package, "__file__", None)
    if place is None:
        return None
    return Path(place).parents[1 if hasattr(package, "__path__") else 0]


def _start_of(record: dict[str, Any], step: int) -> dict[str, Any]:
    """The start that made the checkpoint of a step: later ones ended before they saved."""
    resumed = record.get("resumed", [])
    saved = [start for start in resumed if _resumed_at(start) < step]
    return saved[-1] if saved else record


def _resumed_at(start: dict[str, Any]) -> int:
    step = start.get("step")
    return step if isinstance(step, int) else 0  # earlier versions did not record it


def _sha256(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()
