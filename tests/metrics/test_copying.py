"""The longest copied runs against a search in the text as a string."""

import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.metrics import copying


def by_search(sample, text):
    ring = text + text[: len(sample) - 1]
    runs = ((i, j) for i in range(len(sample)) for j in range(i, len(sample) + 1))
    return max(j - i for i, j in runs if sample[i:j] in ring)


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 3), (np.uint8, 256), (np.uint16, 600)])
def test_runs_are_those_that_a_search_finds(dtype, top):
    random = np.random.default_rng(0)
    text = random.integers(0, top, 150).astype(dtype)
    length = 9
    samples = random.integers(0, top, (60, length)).astype(dtype)
    for sample, start in zip(samples, random.integers(0, 140, 60), strict=True):
        size, place = random.integers(1, 9), random.integers(0, 2)
        sample[place : place + size] = text[start : start + size][: length - place]
    samples[-1] = np.concatenate([text[-4:], text[:5]])  # around the ring
    found = copying.longest(samples, copying.sorted_windows(text, length))
    symbols = [chr(0x4E00 + token) for token in range(top)]
    as_text = "".join(symbols[token] for token in text)
    expected = [by_search("".join(symbols[t] for t in sample), as_text) for sample in samples]
    np.testing.assert_array_equal(found, expected)
    assert found[-1] == length and found.min() < length


def test_mean_and_fraction():
    longest, whole = copying.longest_and_whole(np.array([8, 3, 8, 1], np.int32), 8)
    assert (longest.value, whole.value) == (5, 0.5)
    assert 0 <= longest.low < 5 < longest.high <= 8
    with pytest.raises(RequestError):
        copying.longest_and_whole(np.array([8], np.int32), 8)


def test_a_text_without_a_window_is_refused_and_many_windows_are_known_not_to_fit(monkeypatch):
    text = np.zeros(10, np.uint8)
    with pytest.raises(RequestError, match="a text of 10 tokens has no window of 11"):
        copying.sorted_windows(text, 11)
    assert copying.fits(10, 4)
    monkeypatch.setattr(copying, "machine_bytes", lambda: 4 * 79)
    assert not copying.fits(10, 4)
