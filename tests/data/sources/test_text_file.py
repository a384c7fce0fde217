"""Texts as tokens: what shares a symbol, where the text is cut, and what is refused."""

import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.data.sources import text_file
from gan_jax.data.sources.text_file import OTHER

TEXT = "to be, or not to be\n" * 5


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(TEXT, encoding="utf-8")
    return file


def test_all_characters_have_a_symbol_where_there_is_room(path):
    tokens = text_file.read(str(path), "characters", 10, 0.2)
    assert tokens.symbols == (*sorted(set(TEXT)), OTHER)
    assert tokens.training.dtype == np.uint8
    assert "".join(np.array(tokens.symbols)[tokens.training]) == TEXT[:80]
    assert "".join(np.array(tokens.symbols)[tokens.held_out]) == TEXT[80:]


def test_rare_characters_share_the_last_symbol(path):
    tokens = text_file.read(str(path), "characters", 5, 0.0)
    # The four most frequent are the space, o, t and, of b, e and others, the first.
    assert tokens.symbols == (" ", "b", "o", "t", OTHER)
    shown = "".join(np.array(tokens.symbols)[tokens.training])
    assert shown[:20] == f"to b{OTHER * 2} o{OTHER} {OTHER}ot to b{OTHER * 2}"
    assert len(tokens.held_out) == 0


def test_only_the_training_part_decides_which_are_frequent(tmp_path):
    (tmp_path / "x.txt").write_text("aabb" * 10 + "zzzz")
    tokens = text_file.read(str(tmp_path / "x.txt"), "characters", 3, 4 / 44)
    assert tokens.symbols == ("a", "b", OTHER)
    np.testing.assert_array_equal(tokens.held_out, [2, 2, 2, 2])


def test_words_are_words_marks_and_line_ends(path):
    tokens = text_file.read(str(path), "words", 7, 0.0)
    assert tokens.symbols == ("\n", ",", "be", "not", "or", "to", OTHER)
    words = np.array(tokens.symbols)[tokens.training[:8]]
    assert list(words) == ["to", "be", ",", "or", "not", "to", "be", "\n"]


def test_thousands_of_words_take_two_bytes_each(tmp_path):
    (tmp_path / "x.txt").write_text(" ".join(f"w{number}" for number in range(1000)))
    tokens = text_file.read(str(tmp_path / "x.txt"), "words", 500, 0.0)
    assert tokens.training.dtype == np.uint16
    assert tokens.training.max() == 499


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_other_line_ends_and_a_byte_order_mark_do_not_matter(path, tmp_path, end):
    other = tmp_path / "other.txt"
    other.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", end).encode())
    expected = text_file.read(str(path), "characters", 10, 0.0).training
    np.testing.assert_array_equal(
        text_file.read(str(other), "characters", 10, 0.0).training, expected
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"'text\.txt' is empty$"),
        (b"ab\0cd", "is not a text: byte 2 is zero$"),
        (b"caf\xe9 au lait", r"is not in UTF-8 at byte 3 \(0xe9\): convert it, .* iconv -f latin1"),
        (b"aaaa", "has fewer than two different characters$"),
        (b"abab", "vocabulary = 9: .* has 2 different characters to train on, so at most 3 symb"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(RequestError, match=message):
        text_file.read.__wrapped__("text.txt", "characters", 9, 0.1)


def test_a_file_that_is_not_there_or_not_regular_is_refused(tmp_path):
    for path, message in ((tmp_path / "no.txt", "No such file"), (tmp_path, "is a directory")):
        with pytest.raises(RequestError, match=message):
            text_file.read(str(path), "characters", 9, 0.1)
