"""Metrics of texts that count their n-grams and their words."""

import math

import numpy as np
from jaxtyping import Float64, Int, Integer

from gan_jax.common.errors import RequestError
from gan_jax.metrics.estimate import Estimate, from_standard_error
from gan_jax.metrics.names import MOST_TOKENS

RESAMPLES = 100


def divergences(
    generated: Integer[np.ndarray, "n length"], real: Integer[np.ndarray, "m length"]
) -> tuple[Estimate, ...]:
    """Jensen-Shannon divergences between the distributions of 1- to 6-grams, in bits, in [0, 1].

    Lin (1991), equation 4.1, with equal weights and logarithms to base 2; for the n-grams of GANs
    Gulrajani et al. (2017). An n-gram counts wherever it begins in a window. The value is biased
    upwards, and the more the longer the n-grams and the fewer the samples: it can be compared only
    with values for equally many samples, of real text for example. The interval does not correct
    for that: it says where the values of equally many other samples would lie, by the spread of a
    bootstrap of the samples.

    Args:
        generated: tokens of windows that a generator made.
        real: tokens of windows of real text.

    Returns:
        One estimate for each order from 1 to the smaller of 6 and the length.

    Raises:
        RequestError: not two sets of windows of one length, or there are none.
    """
    generated, real = _tokens("generated", generated), _tokens("real", real)
    if generated.shape[1] != real.shape[1]:
        lengths = f"{generated.shape[1]} and {real.shape[1]}"
        raise RequestError(f"generated and real windows have lengths {lengths}: must be equal")
    random = np.random.default_rng(0)
    weights = random.multinomial(
        len(generated), np.full(len(generated), 1 / len(generated)), size=RESAMPLES
    )
    both = np.concatenate([generated, real])
    grams, found = both, []
    for order in range(1, min(MOST_TOKENS, both.shape[1]) + 1):
        if order > 1:  # the id of an n-gram is made of that of its beginning and its last token
            grams = grams[:, :-1] * (int(both.max()) + 1) + both[:, order - 1 :]
        ids = np.unique(grams, return_inverse=True)[1].reshape(grams.shape)
        own, others = ids[: len(generated)], ids[len(generated) :]
        real_counts = np.bincount(others.ravel(), minlength=int(ids.max()) + 1)
        resampled = []
        for row in weights:
            repeated = np.repeat(row, own.shape[1])
            counts = np.bincount(own.ravel(), repeated, len(real_counts))
            resampled.append(_divergence(counts, real_counts))
        value = _divergence(np.bincount(own.ravel(), minlength=len(real_counts)), real_counts)
        spread = float(np.std(resampled, ddof=1))
        found.append(from_standard_error(value, spread).clipped(0.0, 1.0))
        grams = ids
    return tuple(found)


def distinct(tokens: Integer[np.ndarray, "n length"], order: int = 4) -> Estimate:
    """Fraction of all n-grams that are different from each other, in (0, 1].

    Distinct-n of Li et al. (2016), over all samples together. The value falls with the number of
    samples: compare it for equal numbers. The interval is that of the jackknife over samples (Efron
    and Stein, 1981).

    Args:
        tokens: of windows.
        order: n.

    Raises:
        RequestError: there are fewer than two windows, or they are shorter than an n-gram.
    """
    tokens = _tokens("tokens", tokens)
    count, length = tokens.shape
    if count < 2 or length < order:
        given = f"{count} of {length}"
        raise RequestError(f"tokens: give at least two windows of {order} or more, not {given}")
    windows = np.lib.stride_tricks.sliding_window_view(tokens, order, axis=1)
    grams, ids = np.unique(windows.reshape(-1, order), axis=0, return_inverse=True)
    ids = ids.reshape(count, -1)
    # What each window has and no other: so many fewer are different without it.
    of_window = np.unique(np.arange(count)[:, None] * len(grams) + ids)
    alone = np.bincount(of_window % len(grams))[of_window % len(grams)] == 1
    own = np.bincount(of_window[alone] // len(grams), minlength=count)
    without = (len(grams) - own) / (ids.size - ids.shape[1])
    deviation = math.sqrt((count - 1) * float(np.var(without)))
    return from_standard_error(len(grams) / ids.size, deviation).clipped(0.0, 1.0)


def known_words(counts: Int[np.ndarray, "n 2"]) -> Estimate:
    """Fraction of the words in all samples that the training text has, in [0, 1].

    The interval is that of a ratio of means over independent samples (Cochran, 1977, section 6.4).

    Args:
        counts: for each sample, how many of its words are known, and how many it has.

    Raises:
        RequestError: fewer than two samples, or more words are known than there are.
    """
    known, words = np.asarray(counts, np.float64).T
    if len(known) < 2 or (known > words).any() or known.min() < 0:
        raise RequestError("counts: give 0 <= known <= words for at least two samples")
    if not words.sum():
        return Estimate(0.0, 0.0, 1.0)  # without a word nothing is known of them
    value = float(known.sum() / words.sum())
    deviation = np.std(known - value * words, ddof=1) / math.sqrt(len(known))
    return from_standard_error(value, float(deviation / words.mean())).clipped(0.0, 1.0)


def _tokens(name: str, tokens: np.ndarray) -> Integer[np.ndarray, "n length"]:
    tokens = np.asarray(tokens)
    if tokens.ndim != 2 or not tokens.size or not np.issubdtype(tokens.dtype, np.integer):
        shape = f"type {tokens.dtype}, shape {list(tokens.shape)}"
        raise RequestError(f"{name}: must be tokens, integers [count, length], not {shape}")
    return tokens.astype(np.int64)


def _divergence(counts: np.ndarray, real_counts: np.ndarray) -> float:
    """The Jensen-Shannon divergence of two histograms, in bits."""
    one, other = counts / counts.sum(), real_counts / real_counts.sum()
    return _entropy((one + other) / 2) - (_entropy(one) + _entropy(other)) / 2


def _entropy(fractions: Float64[np.ndarray, " k"]) -> float:
    positive = fractions[fractions > 0]
    return float(-(positive * np.log2(positive)).sum())
