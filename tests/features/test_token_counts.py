"""Frequencies of symbols, and which words of a window are known."""

import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.features import TokenCounts
from gan_jax.features.token_counts import words_of

SYMBOLS = (*"abcd e", "\ufffd")
TRAINING = bytes(SYMBOLS.index(letter) for letter in "ab cad e dadada")
NETWORK = TokenCounts(SYMBOLS, TRAINING, frozenset({"ab", "cad"}))


def tokens(*lines):
    return np.array([[SYMBOLS.index(letter) for letter in line] for line in lines], np.uint8)


def test_features_are_frequencies():
    found = NETWORK.extract(tokens("abba", "dddd"))
    expected = [[0.5, 0.5, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0]]
    np.testing.assert_array_equal(found.features, np.array(expected, np.float32))
    np.testing.assert_array_equal(found.tokens, tokens("abba", "dddd"))
    assert found.probabilities is None and found.good is None


def test_words_that_the_window_cuts_and_single_letters_do_not_count():
    found = NETWORK.extract(tokens("ab bad cad e", "e ab e cadab", "abcdabcdabcd"))
    np.testing.assert_array_equal(found.known_words, [[1, 2], [1, 1], [0, 0]])


def test_where_all_words_are_known_none_are_counted():
    assert TokenCounts(SYMBOLS, TRAINING, frozenset()).extract(tokens("ab c")).known_words is None


def test_words_have_letters_of_any_script_and_apostrophes():
    assert words_of("I'll go: naïve, 12 o'clock; a_b κόσμος") == [
        "I'll",
        "go",
        "naïve",
        "o'clock",
        "κόσμος",
    ]
    assert words_of("more and mo", cut=True) == ["and"]
    assert words_of("'ll go don'", cut=True) == ["go"]


def test_of_very_many_symbols_some_share_a_feature():
    symbols = tuple(map(str, range(2500)))
    network = TokenCounts(symbols, np.arange(9, dtype=np.uint16).tobytes(), frozenset())
    found = network.extract(np.array([[3, 1003, 2003, 4]], np.uint16))
    assert found.features.shape == (1, 1000)
    assert (found.features[0, 3], found.features[0, 4]) == (0.75, 0.25)


def test_the_longest_copies_are_counted():
    found = NETWORK.extract(tokens("ab c", "bbbb", "dcad"))
    np.testing.assert_array_equal(found.longest_copies, [4, 1, 3])


def test_the_hash_is_of_symbols_and_training_text():
    others = [
        TokenCounts(SYMBOLS[::-1], TRAINING, NETWORK.words),
        TokenCounts(SYMBOLS, TRAINING[1:], NETWORK.words),
    ]
    assert len({network.sha256() for network in (NETWORK, *others)}) == 3
    assert NETWORK.sha256() == TokenCounts(SYMBOLS, TRAINING, NETWORK.words).sha256()


@pytest.mark.parametrize("wrong", [np.zeros((3, 4), np.float32), np.zeros((3, 4, 7), np.uint8)])
def test_what_are_no_tokens_is_refused(wrong):
    with pytest.raises(RequestError, match="features token-counts take samples of type uint8"):
        NETWORK.extract(wrong)
