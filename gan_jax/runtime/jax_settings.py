"""Settings of JAX under which a command cannot work, in one message that names the variable.

JAX reads each setting from an environment variable: `jax_enable_x64` from JAX_ENABLE_X64. Some have
values that JAX itself refuses when it is imported, some ask for devices that this machine does not
have, and some forbid what this package does all the time.
"""

import os
import sys
from typing import Any

from gan_jax.common.errors import RequestError

# What JAX computes on, or how many of them.
DEVICES = ("JAX_PLATFORMS", "JAX_PLATFORM_NAME", "JAX_DEFAULT_DEVICE", "JAX_NUM_CPU_DEVICES")
# Values with which training cannot work, and what they forbid.
TRANSFERS = {"disallow": "moving arrays to a device", "disallow_explicit": "moving any arrays"}
FORBIDDING = {
    "jax_numpy_rank_promotion": {"raise": "adding arrays of different rank"},
    "jax_numpy_dtype_promotion": {"strict": "adding integers to floats"},
    "jax_transfer_guard": TRANSFERS,
    "jax_transfer_guard_host_to_device": TRANSFERS,
    "jax_transfer_guard_device_to_host": TRANSFERS,
    "jax_transfer_guard_device_to_device": TRANSFERS,
    "jax_no_execution": {True: "computing"},
    "jax_no_tracing": {True: "compiling"},
}


def check() -> None:
    """Checks that nothing is forbidden that every command needs.

    Raises:
        RequestError: something is; names the variable, its value and what to do.
    """
    import jax

    for name, forbidden in FORBIDDING.items():
        value = plain(getattr(jax.config, name, None))
        if value in forbidden:
            shown = os.environ.get(name.upper(), value)
            raise RequestError(
                f"{name.upper()}={shown}: forbids {forbidden[value]}, without which gan_jax "
                "cannot work; unset it"
            )


def plain(value: Any) -> Any:
    """Returns the value of a setting: of one of JAX's enumerations, what it stands for."""
    return getattr(value, "value", value)


def explanation(error: BaseException) -> str | None:
    """Explains an error by a variable that is set; None if none of them is to blame.

    Args:
        error: that has ended a command. One that has a message of its own is explained only by
            devices that are not there, which no message of the package names.
    """
    of_devices = [name for name in DEVICES if os.environ.get(name)]
    if of_devices and "jax" in sys.modules and not _computes():
        seen = _platforms()
        advice = f"JAX sees {seen}; unset it, or give one of these" if seen else "unset it"
        return f"{_shown(of_devices)}: JAX has no such devices here; {advice}"
    said = " ".join(map(str, _causes(error)))
    named = [name for name in os.environ if name.startswith("JAX_") and _is_named(name, said)]
    if named and not isinstance(error, RequestError):
        first = str(error).strip().partition("\n")[0] or type(error).__name__
        return f"{_shown(named)}: {first}; unset it, or set it otherwise"
    return None


def _is_named(variable: str, said: str) -> bool:
    """Whether a message has the name of a variable, of its setting, or the path that it holds."""
    value = os.environ[variable]
    return variable in said or variable.lower() in said or (os.sep in value and value in said)


def _shown(names: list[str]) -> str:
    return " ".join(f"{name}={os.environ[name]}" for name in names)


def _causes(error: BaseException | None) -> list[BaseException]:
    causes = []
    while error is not None and error not in causes:  # one that is raised again closes a circle
        causes.append(error)
        error = error.__cause__ or error.__context__
    return causes


def _computes() -> bool:
    try:
        import jax

        jax.device_put(0).block_until_ready()
    except Exception:  # of many types, AssertionError among them
        return False
    return True


def _platforms() -> str:
    """The platforms of the devices that JAX finds by itself; "" if it finds none."""
    try:
        import jax

        for name in ("jax_platforms", "jax_platform_name"):
            jax.config.update(name, "")
        return ", ".join(dict.fromkeys(device.platform for device in jax.devices()))
    except Exception:
        return ""
