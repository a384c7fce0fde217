"""What fits into memory: checked before anything is allocated, so that nothing is half done."""

import os
from contextlib import suppress
from pathlib import Path

from gan_jax.common.errors import RequestError

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container, on Linux


def machine_bytes() -> int:
    """Memory of this machine in bytes, or of the container that it is."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # where there is no limit, it is "max"
        memory = min(memory, int(LIMIT.read_text(encoding="utf-8")))
    return memory


def check_fits(
    what: str, needed: int, available: int | None = None, place: str = "memory of the machine"
) -> None:
    """Checks an estimate of what something takes at the very least.

    Args:
        what: takes it; begins the message, so that it names the field and its value.
        needed: bytes.
        available: bytes; all of the machine's memory if None.
        place: where they are.

    Raises:
        RequestError: it does not fit; says what it needs and what there is.
    """
    available = machine_bytes() if available is None else available
    if needed > available:
        raise RequestError(
            f"{what} needs at least {in_words(needed)}, and the {place} is {in_words(available)}"
        )


def in_words(count: float) -> str:
    """Returns a number of bytes with a unit in which it is short: '2.3 GiB'."""
    unit = 0
    while count >= 1024 and unit < len(UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:,.3g} {UNITS[unit]}" if count < 1000 else f"{count:,.0f} {UNITS[unit]}"
