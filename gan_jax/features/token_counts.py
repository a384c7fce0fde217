"""Texts as sequences of tokens: a feature network for data that are made of symbols."""

import functools
import hashlib
import re
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int32, Integer

from gan_jax.features.network import Extracted, check_samples
from gan_jax.metrics import copying

MOST_FEATURES = 1000  # as the time for a Frechet distance grows with the cube of their number
LEAST = 2  # letters of a word: any letter stands alone somewhere in a long text
APOSTROPHES = "'\u2019"
WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")


@dataclass(frozen=True)
class TokenCounts:
    """Takes the frequency of each symbol as features, and keeps the tokens for their n-grams.

    Of more than MOST_FEATURES symbols, each MOST_FEATURES-th shares a feature.

    Attributes:
        symbols: what each token stands for.
        training: the tokens of the training text, one after another, as they are stored.
        words: those that the training text has, for texts of characters; empty for texts of words,
            which are all known.
    """

    symbols: tuple[str, ...]
    training: bytes = field(repr=False)
    words: frozenset[str] = field(repr=False)

    @property
    def name(self) -> str:
        """What the network is called beside a score."""
        return "token-counts"

    def sha256(self) -> str:
        """Returns the hash of the symbols and the training text."""
        return hashlib.sha256(repr(self.symbols).encode() + self.training).hexdigest()

    def extract(self, tokens: Integer[np.ndarray, "count length"]) -> Extracted:
        """Returns the frequencies of all symbols, the tokens, and what is known or copied of them.

        Raises:
            RequestError: these are not sequences of tokens.
        """
        kind = "uint8" if len(self.symbols) <= 2**8 else "uint16"
        check_samples(self.name, tokens, kind, shape=("length",))
        count, length = tokens.shape
        features = min(len(self.symbols), MOST_FEATURES)
        places = np.arange(count)[:, None] * features + tokens.astype(np.int64) % features
        sums = np.bincount(places.ravel(), minlength=count * features)
        frequencies = (sums / length).astype(np.float32).reshape(count, -1)
        known = self._known(tokens) if self.words else None
        copies = None
        if copying.fits(len(self.training), length):
            copies = copying.longest(tokens, _sorted(self.training, kind, length))
        return Extracted(frequencies, None, tokens=tokens, longest_copies=copies, known_words=known)

    def _known(self, tokens: Integer[np.ndarray, "count length"]) -> Int32[np.ndarray, "count 2"]:
        symbols = np.array(self.symbols)
        texts = ("".join(symbols[window]) for window in tokens)
        whole = (words_of(text, cut=True) for text in texts)
        counts = [(sum(word in self.words for word in words), len(words)) for words in whole]
        return np.array(counts, np.int32)


@functools.lru_cache(maxsize=2)
def _sorted(training: bytes, kind: str, length: int) -> np.ndarray:
    return copying.sorted_windows(np.frombuffer(training, kind), length)


def words_of(text: str, cut: bool = False) -> list[str]:
    """Returns the words of a text that have at least LEAST letters.

    Args:
        text: any.
        cut: whether the text is a window, whose first and last words may lack letters: words that
            reach its ends are then left out.
    """
    first, last = 0, len(text)
    if cut:  # an apostrophe at an end may be within a word
        first, last = (len(text) - len(text.lstrip(APOSTROPHES)), len(text.rstrip(APOSTROPHES)))
    inner = (
        word
        for word in WORD.finditer(text)
        if not cut or (word.start() > first and word.end() < last)
    )
    return [word.group() for word in inner if len(word.group()) >= LEAST]
