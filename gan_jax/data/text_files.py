r"""Text files with a text in each line: .txt, and .jsonl, where each line is {"text": ...}.

In .txt files line ends inside of a text are written as \n, and backslashes as \\.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from gan_jax.common.errors import RequestError
from gan_jax.common.files import open_atomically
from gan_jax.common.reading import read_bytes


def write_lines(lines: Iterable[str], path: Path) -> None:
    """Writes texts to a .txt or .jsonl file, whole or not at all."""
    in_json = path.suffix.lower() == ".jsonl"
    with open_atomically(path) as file:
        for line in lines:
            text = json.dumps({"text": line}) if in_json else _escaped(line)
            file.write(text.encode() + b"\n")


def read_lines(path: Path, largest: int) -> list[str]:
    """Returns the texts in a file that `write_lines` has made, or anybody else.

    Args:
        path: .txt or .jsonl file.
        largest: how many characters it may hold.

    Raises:
        RequestError: it cannot be read, is too large, not in UTF-8 or ends otherwise; names it.
    """
    suffix = path.suffix.lower()
    if suffix not in (".txt", ".jsonl"):
        raise RequestError(f"{path}: must be a .txt file, with a text in each line, or .jsonl")
    try:
        content = read_bytes(path).decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"{path} is not in UTF-8 at byte {error.start:,}") from error
    if len(content) > largest:
        raise RequestError(f"{path} holds more than {largest:,} characters")
    # Other characters at which `str.splitlines` splits may be part of a text.
    lines = content.removesuffix("\n").split("\n") if content else []
    if suffix == ".txt":
        return [_unescaped(line) for line in lines]
    wrong = f'{path}: each line must be {{"text": ...}}, with a text'
    try:
        texts = [json.loads(line)["text"] for line in lines]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RequestError(wrong) from error
    if not all(isinstance(text, str) for text in texts):
        raise RequestError(wrong)
    return texts


def _escaped(line: str) -> str:
    return line.replace("\\", "\\\\").replace("\n", "\\n")


def _unescaped(line: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), line)
