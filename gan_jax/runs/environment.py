"""What a run's bits depend on besides its experiment: settings of JAX, devices, versions, code.

A record holds it for each start of a run, so that what has changed is said when it resumes. What
follows of which change stands in docs/howto/resume.md.
"""

import collections
import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import jax

import gan_jax
from gan_jax.common.errors import RequestError
from gan_jax.runs import references
from gan_jax.runtime.jax_settings import plain

# Settings of JAX, of which those that change random draws may not change within a run.
DRAWS = (
    "jax_enable_x64",
    "jax_threefry_partitionable",
    "jax_default_prng_impl",
    "jax_random_seed_offset",
)
UNRECORDED = {"jax_random_seed_offset": 0}  # what earlier versions ran with, and did not record
ROUNDING = ("jax_default_matmul_precision", "jax_disable_jit", "jax_numpy_dtype_promotion")
COUNT_FLAG = "--xla_force_host_platform_device_count"  # which `devices` of a record shows anyway

# Parts of a record in which a resumed run may differ, in words.
PARTS = {
    "versions": "versions",
    "devices": "devices",
    "environment": "settings of JAX",
    "sources": "code",
}


class OtherDrawsError(RequestError):
    """A run would resume with other random draws than it began with."""


def settings() -> dict[str, Any]:
    """The settings of JAX and XLA that change what is computed."""
    given = os.environ.get("XLA_FLAGS", "").split()
    flags = sorted(flag for flag in given if flag.partition("=")[0] != COUNT_FLAG)
    of_jax = {name: plain(getattr(jax.config, name)) for name in (*DRAWS, *ROUNDING)}
    return of_jax | {"XLA_FLAGS": " ".join(flags)}


def sources(encoded: dict[str, Any], file: Path | None) -> dict[str, str]:
    """SHA-256 of the code that an experiment runs.

    These are the experiment's file, the modules that were imported from its folder or from below
    it, those of its own classes and functions, and the whole of this package.

    Args:
        encoded: the experiment, as `serialisation.encode` returns it.
        file: that defines it.
    """
    own = {reference.partition(":")[0] for reference in references.check(encoded)}
    folder = file.resolve().parent if file else None
    found = {file.name: file.resolve()} if file else {}
    for name, module in list(sys.modules.items()):
        place = Path(getattr(module, "__file__", None) or ".")
        if name.partition(".")[0] == "gan_jax":
            continue
        if folder and references.is_below(place, folder):
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
    before, now = UNRECORDED | before, record["environment"]
    changed = [
        f"{name}: {before[name]!r} -> {now[name]!r}"
        for name in DRAWS
        if name in before and before[name] != now[name]
    ]
    if changed:
        raise OtherDrawsError(
            f"the run in {path} would go on with other random draws (recorded -> now):\n  "
            + "\n  ".join(changed)
            + "\nset this back (JAX_ENABLE_X64, for example, sets jax_enable_x64), or resume "
            "nevertheless with --accept-changes"
        )


def announcement(earlier: dict[str, Any], record: dict[str, Any], step: int) -> str | None:
    """Says in one line what has changed since the start that made a checkpoint; None if nothing.

    Args:
        earlier: the record of the run.
        record: that of its new start.
        step: of the checkpoint.
    """
    before = _start_of(earlier, step)
    changed, unknown = [], []
    for part in (part for part in PARTS if part in record):
        was, now = before.get(part), record[part]
        if type(was) is not type(now):  # an earlier version did not record it, or it is damaged
            unknown.append(PARTS[part])
        elif part == "devices":
            changed += [f"devices {_counted(was)} -> {_counted(now)}"] if was != now else []
        else:
            was = UNRECORDED | was if part == "environment" else was
            differing = [name for name in now | was if was.get(name) != now.get(name)]
            changed += [_change(part, name, was.get(name), now.get(name)) for name in differing]
    said = []
    if changed:
        said.append(f"changed since its last start (recorded -> now): {', '.join(changed)}")
    if unknown:
        said.append(f"not recorded: {', '.join(unknown)}")
    if not said:
        return None
    return (
        "warning: from here on the run's bits may differ from those of an uninterrupted one: "
        + "; ".join(said)
    )


def _change(part: str, name: str, was: Any, now: Any) -> str:
    return f"code of {name}" if part == "sources" else f"{name} {was!r} -> {now!r}"


def _counted(kinds: list[Any]) -> str:
    """Lists kinds of devices, each once, with how many there are."""
    counts = collections.Counter(map(str, kinds))
    return ", ".join(kind if n == 1 else f"{n} x {kind}" for kind, n in counts.items()) or "none"


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
