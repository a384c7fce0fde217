"""Text: windows of a file as sequences of characters or words."""

import functools
import logging
import os
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import numpy as np
from jaxtyping import Float32, Int32, Integer, UInt8
from PIL import Image, ImageDraw, ImageFont

from gan_jax.common.errors import RequestError
from gan_jax.common.memory import check_fits
from gan_jax.common.validation import check_bounds, check_not_empty, check_types
from gan_jax.data import text_files
from gan_jax.data.dataset import Files, RawBatch, Stored, check_path
from gan_jax.data.grids import save_png
from gan_jax.data.order import batch_indices
from gan_jax.data.sources import text_file
from gan_jax.data.sources.text_file import Unit

if TYPE_CHECKING:  # features import JAX, which describing data must not
    from gan_jax.features.network import FeatureNetwork

# Pixels of a page: a monospaced character, the line that it stands in, and the margin.
CHARACTER, LINE, MARGIN = 6, 13, 4
LINE_END, STRANGE = "\xb6", "\xbf"  # shown in place of line ends, and of what the font lacks
LETTERS = 7  # of a word, with the space after it, for which a page has room
MOST_CHARACTERS = 2**24  # of a file of samples

_logger = logging.getLogger(__name__)


class Windows(NamedTuple):
    """Examples as stored."""

    sample: Integer[np.ndarray, "count length"]
    label: None


@dataclass(frozen=True)
class Text:
    """Windows of a text: plain values that say what they are, read when first used.

    Implements `gan_jax.data.dataset.Dataset`. Stored windows are tokens, uint8 or uint16 [length];
    samples are one-hot, float32 [length, vocabulary], of which generators make soft versions.

    Attributes:
        path: text file in UTF-8.
        unit: what a token is.
        vocabulary: number of symbols, from 3 to 65,536; the last one stands for all rare ones.
        length: tokens of a window, at least 1.
        stride: tokens from the start of one window to the start of the next, at least 1.
        held_out_fraction: of the text, at its end, in [0, 1); no window lies in both parts.
        part: which of the two parts these windows are from.
    """

    path: str
    unit: Unit
    vocabulary: int
    length: int = 32
    stride: int = 8
    held_out_fraction: float = 0.1
    part: Literal["train", "held-out"] = "train"

    # Of the contract: no window has a label.
    labels = False
    classes = 0
    class_names = ()
    samples_per_page = 32
    suffixes = (".png", ".txt", ".jsonl")
    final_suffixes = (".txt",)

    # Of a run, see `with_fitted`. No field, so that data with and without it are equal.
    _symbols = ()

    def __post_init__(self) -> None:
        check_types(self)
        check_not_empty(self, "path")
        check_bounds(self, "vocabulary", at_least=3, below=2**16 + 1)
        check_bounds(self, "length stride", at_least=1)
        check_bounds(self, "held_out_fraction", at_least=0, below=1)

    @property
    def sample_shape(self) -> tuple[int, int]:
        """Shape of one window, (length, vocabulary), known without reading anything."""
        return (self.length, self.vocabulary)

    @property
    def stored(self) -> Stored:
        """Shape and type of one window as tokens, known without reading anything."""
        return Stored((self.length,), text_file.dtype_of(self.vocabulary))

    @property
    def split(self) -> str:
        """Which part of the text these windows are from."""
        return self.part

    @property
    def count(self) -> int:
        """Number of windows."""
        return len(self.load().sample)

    @property
    def symbols(self) -> tuple[str, ...]:
        """What each token stands for, a character or a word."""
        return self._symbols or self._tokens().symbols

    def load(self) -> Windows:
        """Returns all windows; the file is read once in the life of a process.

        Raises:
            RequestError: the file is missing or not a text, or has too few characters or words.
        """
        tokens = self._tokens()
        of_part = tokens.training if self.part == "train" else tokens.held_out
        if len(of_part) < self.length:
            raise RequestError(
                f"length = {self.length}: the part {self.part!r} of {self.path!r} has only "
                f"{len(of_part)} {self.unit}"
            )
        windows = np.lib.stride_tricks.sliding_window_view(of_part, self.length)
        return Windows(windows[:: self.stride], None)

    def fingerprint(self) -> str:
        """Returns number and length of the windows, and a checksum of their tokens and symbols."""
        tokens = self._tokens()
        of_part = tokens.training if self.part == "train" else tokens.held_out
        checksum = zlib.crc32("\0".join(tokens.symbols).encode(), zlib.crc32(of_part))
        return f"{self.count} windows of {self.length} tokens, checksum {checksum:08x}"

    def fitted(self) -> dict[str, Any]:
        """Returns the symbols, which samples are written and read with."""
        return {"symbols": list(self.symbols)}

    def with_fitted(self, fitted: dict[str, Any]) -> Self:
        """Returns these data with the symbols of a run, for whose samples no text is read."""
        symbols = fitted.get("symbols")
        right = isinstance(symbols, list) and all(
            text_file.is_symbol(each, self.unit) for each in symbols
        )
        if not right or len(set(symbols)) != self.vocabulary or len(symbols) != self.vocabulary:
            raise RequestError(f"a text's {self.vocabulary} different symbols are not recorded")
        copy = replace(self)
        object.__setattr__(copy, "_symbols", tuple(symbols))
        return copy

    def held_out(self) -> Self | None:
        """Describes windows of the held-out part; None for these themselves, or without one.

        They do not overlap, as samples do not, or they would be more alike than samples can be.
        """
        if self.part != "train" or not self.held_out_fraction:
            return None
        return replace(self, part="held-out", stride=max(self.stride, self.length))

    def features(self) -> "FeatureNetwork | None":
        """Returns what counts symbols and known words, and lets n-grams be compared."""
        return _features(replace(self, part="train"))

    def indices(self, seed: int, step: int, batch_size: int) -> Int32[np.ndarray, " batch"]:
        """Returns which windows form a batch; see `order.batch_indices`."""
        return batch_indices(self.count, seed, step, batch_size)

    def gather(self, indices: Int32[np.ndarray, " batch"]) -> RawBatch:
        """Returns the windows at the given positions, as tokens."""
        return {"sample": self.load().sample[indices], "label": None}

    def prepare(self, raw: RawBatch) -> dict[str, Any]:
        """Returns tokens as one-hot vectors, float32 [batch, length, vocabulary]."""
        one_hot = raw["sample"][..., None] == np.arange(self.vocabulary, dtype=self.stored.dtype)
        return {"sample": one_hot.astype("float32"), "condition": None}

    def batch(self, seed: int, step: int, batch_size: int) -> dict[str, Any]:
        """Returns the prepared batch of one step in NumPy: a pure function of its arguments."""
        return self.prepare(self.gather(self.indices(seed, step, batch_size)))

    def to_stored(
        self, samples: Float32[np.ndarray, "count length vocabulary"]
    ) -> Integer[np.ndarray, "count length"]:
        """Returns the most probable token of each position."""
        return samples.argmax(axis=-1).astype(self.stored.dtype)

    def lines(self, tokens: Integer[np.ndarray, "count length"]) -> list[str]:
        """Returns windows as text, in which words are separated by spaces."""
        symbols, between = self.symbols, "" if self.unit == "characters" else " "
        return [between.join(symbols[token] for token in window) for window in tokens.tolist()]

    def page(
        self,
        samples: Float32[np.ndarray, "count length vocabulary"],
        columns: int | None = None,
    ) -> UInt8[np.ndarray, "height width 1"]:
        """Draws each window as a line of text, whatever `columns` says.

        Line ends are shown as ¶, and what is not in Latin-1 as ¿.
        """
        font = ImageFont.load_default_imagefont()
        letters = self.length * (1 if self.unit == "characters" else LETTERS)
        size = (letters * CHARACTER + 2 * MARGIN, len(samples) * LINE + 2 * MARGIN)
        page = Image.new("L", size, 255)
        for number, line in enumerate(self.lines(self.to_stored(samples))):
            shown = "".join(map(_shown, line))[:letters]
            ImageDraw.Draw(page).text((MARGIN, MARGIN + number * LINE), shown, 0, font)
        return np.asarray(page)[..., None]

    def cells(
        self, page: UInt8[np.ndarray, "height width 1"], columns: int
    ) -> UInt8[np.ndarray, "1 height width 1"]:
        """Returns the page as the only cell."""
        return page[None]

    def write(
        self,
        parts: Iterable[Float32[np.ndarray, "_part length vocabulary"]],
        path: Path,
        columns: int | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        """Writes a page, .png, or a line for each window; see `text_files` and `Dataset.write`."""
        check_path(path, self.suffixes)
        if path.suffix.lower() == ".png":
            save_png(self.page(np.concatenate(list(parts))), path)
        else:
            lines = (line for part in parts for line in self.lines(self.to_stored(part)))
            text_files.write_lines(lines, path)

    def read(self, paths: Sequence[Path], largest: int | None = None) -> Files:
        """Returns the lines of text files, one-hot; those that are longer than a window are cut.

        Args:
            paths: .txt or .jsonl files.
            largest: how many characters one may hold; MOST_CHARACTERS if None.

        Raises:
            RequestError: a file cannot be read, is too large or ends otherwise, or a line of it is
                shorter than a window; names it.
        """
        names, windows, cut = [], [], 0
        one_hot = 4 * self.length * self.vocabulary  # bytes of a sample
        for path in paths:
            for number, line in enumerate(
                text_files.read_lines(path, largest or MOST_CHARACTERS), 1
            ):
                tokens = text_file.as_tokens(text_file.split(line, self.unit), self.symbols)
                if len(tokens) < self.length:
                    raise RequestError(
                        f"{path}, line {number} has {len(tokens)} {self.unit}, and a window of "
                        f"the run {self.length}"
                    )
                cut += len(tokens) > self.length
                names.append(f"{path}:{number}")
                check_fits(f"{path}: so many lines", len(names) * one_hot)
                windows.append(tokens[: self.length])
        if cut:
            message = "longer than %d %s, of which the first are taken: %d of %d lines"
            _logger.warning(message, self.length, self.unit, cut, len(windows))
        if not windows:
            raise RequestError(f"there is no line in {', '.join(map(str, paths))}")
        samples = self.prepare({"sample": np.stack(windows), "label": None})["sample"]
        return Files(tuple(names), samples)

    def _tokens(self) -> text_file.Tokens:
        path = str(Path(self.path).expanduser())
        return text_file.read(path, self.unit, self.vocabulary, self.held_out_fraction)


def characters(
    path: str | os.PathLike[str],
    vocabulary: int,
    length: int = 32,
    stride: int = 8,
    held_out: float = 0.1,
) -> Text:
    """Describes windows of characters.

    Args:
        path: text file in UTF-8.
        vocabulary: number of symbols: the most frequent characters, and one for all others; at
            most one more than the text has different characters.
        length: characters of a window.
        stride: characters from the start of one window to the start of the next.
        held_out: fraction of the text, at its end, that is held out.

    Raises:
        RequestError: An argument has the wrong type or value. What is wrong with the file is
            reported when it is read.
    """
    return Text(os.fspath(path), "characters", vocabulary, length, stride, held_out)


def words(
    path: str | os.PathLike[str],
    vocabulary: int,
    length: int = 16,
    stride: int = 4,
    held_out: float = 0.1,
) -> Text:
    """Describes windows of words; punctuation marks and line ends count as words.

    Args:
        path: text file in UTF-8.
        vocabulary: number of symbols: the most frequent words, and one for all others; at most one
            more than the text has different words.
        length: words of a window.
        stride: words from the start of one window to the start of the next.
        held_out: fraction of the text, at its end, that is held out.

    Raises:
        RequestError: An argument has the wrong type or value. What is wrong with the file is
            reported when it is read.
    """
    return Text(os.fspath(path), "words", vocabulary, length, stride, held_out)


@functools.lru_cache(maxsize=4)
def _features(text: Text) -> "FeatureNetwork":
    from gan_jax.features import TokenCounts
    from gan_jax.features.token_counts import words_of

    symbols, training, _ = text._tokens()
    words = frozenset()
    if text.unit == "characters":
        (whole,) = text.lines(training[None])
        words = frozenset(words_of(whole))
    return TokenCounts(symbols, training.tobytes(), words)


def _shown(character: str) -> str:
    if character == "\n":
        return LINE_END
    return character if character.isprintable() and ord(character) < 256 else STRANGE
