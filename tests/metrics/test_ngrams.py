"""Divergences of n-grams against SciPy and closed forms, and fractions of known words."""

from collections import Counter

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from gan_jax.common.errors import RequestError
from gan_jax.metrics import ngrams
from tests.metrics.intervals import share_covering


def values(generated, real):
    return [estimate.value for estimate in ngrams.divergences(generated, real)]


def chain(random, count, length, stay):
    """Windows of a Markov chain of three symbols, each of which is as frequent."""
    windows = np.empty((count, length), np.uint8)
    windows[:, 0] = random.integers(3, size=count)
    for place in range(1, length):
        moved = (windows[:, place - 1] + random.integers(1, 3, size=count)) % 3
        windows[:, place] = np.where(random.random(count) < stay, windows[:, place - 1], moved)
    return windows


def test_a_text_does_not_diverge_from_itself():
    windows = np.random.default_rng(0).integers(0, 60, (50, 32), dtype=np.uint8)
    assert values(windows, windows[::-1]) == pytest.approx([0] * 6, abs=1e-12)


def test_texts_without_a_common_symbol_are_one_bit_apart():
    assert values(np.zeros((9, 7), int), np.ones((4, 7), int)) == pytest.approx([1] * 6)


def test_the_divergence_of_two_coins():
    fair, always = np.array([[0, 1]]), np.array([[0, 0]])
    # H(3/4, 1/4) - H(1/2, 1/2) / 2
    assert values(fair, always)[0] == pytest.approx(0.8112781244591328 - 0.5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_all_orders_are_those_of_scipy(dtype):
    random = np.random.default_rng(1)
    top = 250 if dtype is np.uint8 else 60_000
    symbols = random.integers(0, top, 5)
    generated = symbols[random.integers(0, 5, (40, 12))].astype(dtype)
    real = symbols[random.integers(0, 4, (70, 12))].astype(dtype)
    for order, found in enumerate(values(generated, real), 1):
        counts = [
            Counter(
                tuple(window[start : start + order])
                for window in windows.tolist()
                for start in range(12 - order + 1)
            )
            for windows in (generated, real)
        ]
        union = sorted(set(counts[0]) | set(counts[1]))
        one, other = ([count[gram] for gram in union] for count in counts)
        assert found == pytest.approx(jensenshannon(one, other, base=2) ** 2, abs=1e-12)


def test_a_model_of_single_symbols_fails_from_pairs_on():
    random = np.random.default_rng(2)
    real = chain(random, 2000, 8, stay=0.8)
    unigram, same = chain(random, 2000, 8, stay=1 / 3), chain(random, 2000, 8, stay=0.8)
    single, pairs, *_ = values(unigram, real)
    assert single < 1e-3
    assert pairs > 0.1
    assert max(values(same, real)) < 0.05


@pytest.mark.parametrize("order", [1, 2, 4])
def test_the_interval_holds_the_mean_of_other_samples(order):
    windows = chain(np.random.default_rng(3), 4000, 8, stay=0.6)
    pairs = windows[:, :-1] * 3 + windows[:, 1:]  # nine symbols, of which few follow each
    real, source = pairs[:1000], pairs[1000:]

    def estimate(random):
        return ngrams.divergences(source[random.integers(3000, size=200)], real)[order - 1]

    random = np.random.default_rng(4)
    mean = np.mean([estimate(random).value for _ in range(60)])
    assert share_covering(mean, estimate, repeats=60) >= 0.85


@pytest.mark.parametrize(
    ("generated", "real", "message"),
    [
        (np.zeros((2, 3), int), np.zeros((2, 4), int), "have lengths 3 and 4: must be equal"),
        (np.zeros((2, 3)), np.zeros((2, 3), int), "generated: must be tokens, integers"),
        (np.zeros((2, 3), int), np.zeros((0, 3), int), "real: must be tokens"),
    ],
)
def test_what_are_no_windows_is_refused(generated, real, message):
    with pytest.raises(RequestError, match=message):
        ngrams.divergences(generated, real)


def test_distinct_ngrams_are_counted_over_all_samples():
    windows = np.array([[0, 1, 0, 1], [0, 1, 2, 3], [0, 1, 0, 1]])
    assert ngrams.distinct(windows, 1).value == 4 / 12
    assert ngrams.distinct(windows, 2).value == 4 / 9
    assert ngrams.distinct(windows, 4).value == 2 / 3
    with pytest.raises(RequestError, match="at least two windows"):
        ngrams.distinct(windows[:1])


def test_the_interval_of_distinct_ngrams_is_that_of_the_jackknife():
    windows = chain(np.random.default_rng(5), 60, 8, stay=0.6)
    found = ngrams.distinct(windows, 4)
    without = [ngrams.distinct(np.delete(windows, i, axis=0), 4).value for i in range(60)]
    deviation = np.sqrt(59 / 60 * np.sum((without - np.mean(without)) ** 2))
    assert found.high - found.value == pytest.approx(1.96 * deviation, rel=1e-3)


def test_the_interval_holds_the_mean_of_distinct_ngrams():
    def estimate(random):
        return ngrams.distinct(chain(random, 200, 8, stay=0.6), 6)

    random = np.random.default_rng(6)
    mean = np.mean([estimate(random).value for _ in range(300)])
    assert share_covering(mean, estimate) > 0.9


def test_known_words_are_counted_over_all_samples():
    found = ngrams.known_words(np.array([[1, 1], [0, 3], [2, 4]]))
    assert found.value == 3 / 8
    assert found.low < 3 / 8 < found.high
    none = ngrams.known_words(np.zeros((5, 2), int))
    assert (none.value, none.low, none.high) == (0, 0, 1)
    with pytest.raises(RequestError, match="give 0 <= known <= words"):
        ngrams.known_words(np.array([[2, 1], [1, 1]]))


def test_the_interval_holds_the_fraction_of_known_words():
    def estimate(random):
        words = random.integers(0, 8, size=200)
        return ngrams.known_words(np.stack([random.binomial(words, 0.7), words], axis=1))

    assert share_covering(0.7, estimate) >= 0.9
