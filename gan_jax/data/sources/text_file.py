"""A text file as tokens: characters or words, of which the rare ones share one symbol."""

import functools
import re
from collections import Counter
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Integer

from gan_jax.common.errors import RequestError
from gan_jax.common.reading import read_bytes

Unit = Literal["characters", "words"]

OTHER = "\ufffd"  # stands for all rare characters or words, and is always the last symbol
WORDS = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]|\n")  # a word, a punctuation mark, or a line end


class Tokens(NamedTuple):
    """A text whose last part is held out.

    Attributes:
        symbols: what each token stands for; OTHER is the last one.
        training: tokens to train on, uint8 or uint16.
        held_out: the others.
    """

    symbols: tuple[str, ...]
    training: Integer[np.ndarray, " training"]
    held_out: Integer[np.ndarray, " held_out"]


@functools.lru_cache(maxsize=4)
def read(path: str, unit: Unit, vocabulary: int, held_out: float) -> Tokens:
    """Reads a text as tokens.

    Args:
        path: file in UTF-8; line ends of other systems become single newline characters.
        unit: what a token is.
        vocabulary: how many symbols there are: the most frequent characters or words of the
            training part in the order of their code points, and OTHER.
        held_out: fraction of the text, at its end, that is held out.

    Raises:
        RequestError: the file is missing, empty or not a text in UTF-8, or has fewer different
            characters or words.
    """
    pieces = split(_text(path), unit)
    cut = round(len(pieces) * (1 - held_out))
    counts = Counter(pieces[:cut])
    del counts[OTHER]
    if len(counts) < 2:
        raise RequestError(f"path: {path!r} has fewer than two different {unit}")
    if vocabulary > len(counts) + 1:
        raise RequestError(
            f"vocabulary = {vocabulary}: {path!r} has {len(counts):,} different {unit} to train "
            f"on, so at most {len(counts) + 1} symbols, one of which is for all others"
        )
    frequent = sorted(counts, key=lambda piece: (-counts[piece], piece))[: vocabulary - 1]
    symbols = (*sorted(frequent), OTHER)
    tokens = as_tokens(pieces, symbols)
    tokens.flags.writeable = False
    return Tokens(symbols, tokens[:cut], tokens[cut:])


def split(text: str, unit: Unit) -> str | list[str]:
    """Splits a text into characters or words."""
    return text if unit == "characters" else WORDS.findall(text)


def is_symbol(value: Any, unit: Unit) -> bool:
    """Whether a value is one character or one word that can be written in UTF-8."""
    try:
        return isinstance(value, str) and list(split(value.encode().decode(), unit)) == [value]
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def as_tokens(pieces: str | list[str], symbols: tuple[str, ...]) -> Integer[np.ndarray, " count"]:
    """Returns the token of each character or word; those without a symbol get that of OTHER."""
    index = {symbol: token for token, symbol in enumerate(symbols)}
    tokens = (index.get(piece, len(symbols) - 1) for piece in pieces)
    return np.fromiter(tokens, dtype_of(len(symbols)), len(pieces))


def dtype_of(vocabulary: int) -> str:
    """Returns the type in which tokens are stored."""
    return "uint8" if vocabulary <= 2**8 else "uint16"


def _text(path: str) -> str:
    try:
        content = read_bytes(path)
    except (OSError, ValueError) as error:  # the latter for names that no file can have
        reason = getattr(error, "strerror", None) or error
        raise RequestError(f"path: {path!r} cannot be read: {reason}") from error
    if b"\0" in content:
        where = content.index(b"\0")
        raise RequestError(f"path: {path!r} is not a text: byte {where:,} is zero")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = f"byte {error.start:,} (0x{content[error.start]:02x})"
        raise RequestError(
            f"path: {path!r} is not in UTF-8 at {byte}: convert it, from Latin-1 for example with "
            f"iconv -f latin1 -t utf-8"
        ) from error
    if not text:
        raise RequestError(f"path: {path!r} is empty")
    return text.replace("\r\n", "\n").replace("\r", "\n")
