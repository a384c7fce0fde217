"""BLEU against its definition."""

import math
from collections import Counter

import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.metrics import bleu
from tests.metrics.intervals import share_covering


def grams(window, order):
    return Counter(tuple(window[i : i + order]) for i in range(len(window) - order + 1))


def by_definition(sample, references):
    """Papineni et al. (2002), where every precision is positive and all lengths are equal."""
    logarithms = []
    for order in range(1, bleu.ORDER + 1):
        own = grams(sample, order)
        most = Counter()
        for reference in references:
            most |= grams(reference, order)
        logarithms.append(math.log(sum((own & most).values()) / own.total()))
    return math.exp(sum(logarithms) / bleu.ORDER)


def test_it_is_the_mean_over_samples_of_the_definition():
    random = np.random.default_rng(0)
    samples = random.integers(0, 3, (20, 12), dtype=np.uint8)
    references = random.integers(0, 3, (30, 12), dtype=np.uint8)
    each = [by_definition(one, references.tolist()) for one in samples.tolist()]
    assert bleu.mean_bleu(samples, references).value == pytest.approx(np.mean(each), rel=1e-6)


def test_copies_have_the_most_and_strangers_almost_nothing():
    windows = np.random.default_rng(0).integers(0, 60, (20, 32), dtype=np.uint8)
    assert bleu.mean_bleu(windows, windows).value == pytest.approx(1)
    assert bleu.mean_bleu(windows, windows + 100).value < 0.02


def test_the_interval_holds_the_mean_of_other_samples():
    """Also of self-BLEU, whose references are drawn anew, too."""

    def estimate(random):
        windows = random.integers(0, 4, (80, 10))
        return bleu.mean_bleu(windows[:40], windows[40:])

    random = np.random.default_rng(1)
    mean = np.mean([estimate(random).value for _ in range(200)])
    assert share_covering(mean, estimate, repeats=100) >= 0.88


@pytest.mark.parametrize(("samples", "references"), [(1, 5), (5, 0)])
def test_too_few_are_refused(samples, references):
    windows = np.zeros((5, 8), np.uint8)
    with pytest.raises(RequestError, match=f"of {samples} samples and {references} references"):
        bleu.mean_bleu(windows[:samples], windows[:references])
