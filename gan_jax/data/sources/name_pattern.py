"""Names of files as patterns: '{label}_{speaker}_{take}' says what each field of a name means."""

import re

from gan_jax.common.errors import RequestError

_BRACES = re.compile(r"\{([^{}]*)\}")


def fields_of(pattern: str) -> list[str]:
    """Returns the fields of a pattern, from left to right.

    Raises:
        RequestError: one of them is not a word, or there twice.
    """
    fields = _BRACES.findall(pattern)
    if wrong := [field for field in fields if not field.isidentifier()]:
        raise RequestError(f"pattern = {pattern!r}: {{{wrong[0]}}} must be a word")
    if twice := [field for field in fields if fields.count(field) > 1]:
        raise RequestError(f"pattern = {pattern!r}: has {{{twice[0]}}} twice")
    return fields


def parse(pattern: str, stem: str, *, from_the_right: bool = False) -> dict[str, str] | None:
    """Returns the values of a name's fields, or None where it does not match the pattern.

    From the left, each value is as short as can be. From the right this gives the same, unless the
    name matches in several ways.

    Args:
        pattern: with fields in braces, whose values hold no '/'.
        stem: the name of a file without suffix.
        from_the_right: whether to begin there.
    """
    pieces = _BRACES.split(pattern)
    fields, literals = pieces[1::2], pieces[::2]
    if from_the_right:
        stem, fields = stem[::-1], fields[::-1]
        literals = [literal[::-1] for literal in literals[::-1]]
    if not stem.startswith(literals[0]):
        return None
    values, start = [], len(literals[0])
    for number, literal in enumerate(literals[1:], 1):
        if number < len(fields):
            end = stem.find(literal, start + 1)
        else:
            end = len(stem) - len(literal) if stem.endswith(literal) else -1
        if end <= start or "/" in stem[start:end]:
            return None
        values.append(stem[start:end])
        start = end + len(literal)
    if from_the_right:
        fields, values = fields[::-1], [value[::-1] for value in values[::-1]]
    return dict(zip(fields, values, strict=True))
