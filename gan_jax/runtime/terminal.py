"""What a command prints, so that neither the code page nor the reader of its output ends it."""

import codecs
import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LEGIBLE = "gan_jax_legible"  # name of the way to encode what a code page does not have
BOX = range(0x2500, 0x2580)  # characters that draw lines
PLAIN = {"─": "-", "━": "-", "│": "|", "┃": "|", "…": "...", "·": "-"}


def keep_printing() -> None:
    """Makes sure that what is printed never ends this process.

    Characters that the code page of the output does not have are printed as similar ones, or as
    escapes. Once nobody reads the output any more, as after `| head -1`, it is dropped.
    """
    codecs.register_error(LEGIBLE, _legible)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # the process was started without one
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
            continue
        file = io.BufferedWriter(_Output(stream.fileno(), "w", closefd=False))
        at_once = stream.line_buffering or stream.write_through
        setattr(sys, name, io.TextIOWrapper(file, stream.encoding, LEGIBLE, line_buffering=at_once))


class _Output(io.FileIO):
    """A file that takes what nobody reads any more, and fails only once, on a full disk say."""

    def write(self, data: Any) -> int | None:
        try:
            return super().write(data)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if not isinstance(error, BrokenPipeError):
                raise
            return super().write(data)


def _legible(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encodes the first character that a code page does not have; see `codecs.register_error`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character, end = error.object[error.start], error.start + 1
    if "\udc80" <= character <= "\udcff":  # a byte of a file's name that Python could not decode
        return bytes([ord(character) - 0xDC00]), end
    if ord(character) in BOX:
        return PLAIN.get(character, "+"), end
    return PLAIN.get(character) or character.encode("ascii", "backslashreplace").decode(), end


@contextlib.contextmanager
def warnings_like_errors() -> Iterator[None]:
    """Prints all warnings in the form of this package's errors, and each of them only once.

    These are its own, those that libraries log, and those of Python's `warnings`.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_Brief())
    handler.addFilter(_new_only())
    own, everything = logging.getLogger("gan_jax"), logging.getLogger()
    shown = warnings.showwarning

    def log(message: Any, category: type[Warning], filename: str, *_: Any) -> None:
        own.log(logging.WARNING, "%s%s", _library(filename), message)

    own.addHandler(handler)
    own.propagate = False
    everything.addHandler(handler)
    warnings.showwarning = log
    try:
        yield
    finally:
        warnings.showwarning = shown
        everything.removeHandler(handler)
        own.propagate = True
        own.removeHandler(handler)


class _Brief(logging.Formatter):
    """Prints a record as "warning: message", with the library before a message of another one."""

    def format(self, record: logging.LogRecord) -> str:
        library = record.name.partition(".")[0]
        said = "" if library == "gan_jax" else f"{library}: "
        return f"warning: {said}{record.getMessage()}"


def _new_only() -> Any:
    seen: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return not (message in seen or seen.add(message))

    return is_new


def _library(filename: str) -> str:
    """Returns "library: " for a file of an installed package, "" for any other."""
    parts = Path(filename).parts
    for folder in ("site-packages", "dist-packages"):
        if folder in parts[:-1]:
            return f"{parts[parts.index(folder) + 1].removesuffix('.py')}: "
    return ""
