"""Names of files as patterns: '{label}_{speaker}_{take}' says what each part of a name means."""

import re

from gan_jax.common.errors import RequestError

_BRACES = re.compile(r"\{([^{}]*)\}")


def parts_of(names: str) -> list[str]:
    """Returns the parts of a pattern, from left to right.

    Raises:
        RequestError: one of them is not a word, or there twice.
    """
    parts = _BRACES.findall(names)
    if wrong := [part for part in parts if not part.isidentifier()]:
        raise RequestError(f"AudioFolder.names = {names!r}: {{{wrong[0]}}} must be a word")
    if twice := [part for part in parts if parts.count(part) > 1]:
        raise RequestError(f"AudioFolder.names = {names!r}: has {{{twice[0]}}} twice")
    return parts


def parse(names: str, stem: str, *, from_the_end: bool = False) -> dict[str, str] | None:
    """Returns the parts of a file's name, or None where it is not called so.

    Each part is as short as can be, from the left; or from the right, which finds the same where
    there is only one way.

    Args:
        names: the pattern, whose parts are in braces and hold no '/'.
        stem: the name of the file without suffix.
        from_the_end: whether to begin at the right.
    """
    pieces = _BRACES.split(names)
    parts, literals = pieces[1::2], pieces[::2]
    if from_the_end:
        stem, parts = stem[::-1], parts[::-1]
        literals = [literal[::-1] for literal in literals[::-1]]
    values, place = [], len(literals[0])
    if not stem.startswith(literals[0]):
        return None
    for number, literal in enumerate(literals[1:], 1):
        if number < len(parts):
            end = stem.find(literal, place + 1)
        else:
            end = len(stem) - len(literal) if stem.endswith(literal) else -1
        if end <= place or "/" in stem[place:end]:
            return None
        values.append(stem[place:end])
        place = end + len(literal)
    if from_the_end:
        return {part: value[::-1] for part, value in zip(parts[::-1], values[::-1], strict=True)}
    return dict(zip(parts, values, strict=True))


def in_order(name: str) -> tuple[bool, int, str]:
    """Sorts numbers by value, before other names."""
    number = int(name) if name.isdecimal() else 0
    return not name.isdecimal(), number, name
