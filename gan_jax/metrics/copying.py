"""How much of the training text samples copy."""

import numpy as np
from jaxtyping import Int32, Integer, Shaped

from gan_jax.common.errors import RequestError
from gan_jax.common.memory import machine_bytes
from gan_jax.metrics.estimate import Estimate, of_mean, of_proportion


def sorted_windows(
    text: Integer[np.ndarray, " tokens"], length: int
) -> Shaped[np.ndarray, " tokens"]:
    """Returns all windows of a text in the order of their bytes, for `longest`.

    The text is a ring, so that a window begins at every token.

    Args:
        text: tokens, at least `length`.
        length: of the windows.

    Raises:
        RequestError: the text is shorter.
    """
    if len(text) < length:
        raise RequestError(f"a text of {len(text)} tokens has no window of {length}")
    size = length * text.itemsize
    ring = np.concatenate([text, text[: length - 1]])
    windows = np.lib.stride_tricks.sliding_window_view(ring, length)
    return np.sort(np.ascontiguousarray(windows).view(f"S{size}").ravel())


def fits(bytes_of_text: int, length: int) -> bool:
    """Whether the sorted windows of a text take at most a quarter of the memory."""
    return 2 * bytes_of_text * length <= machine_bytes() // 4


def longest(
    samples: Integer[np.ndarray, "n length"], windows: Shaped[np.ndarray, " tokens"]
) -> Int32[np.ndarray, " n"]:
    """Returns the length of the longest run of each sample that stands in a text.

    Args:
        samples: tokens of windows, of the type that the text had.
        windows: those of the text, see `sorted_windows`.
    """
    count, length = samples.shape
    itemsize = samples.itemsize
    # Each sample from each of its tokens on, padded: the windows beside it in the order of bytes
    # have most in common with it.
    padded = np.concatenate([samples, np.zeros_like(samples)], axis=1)
    starts = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)[:, :length]
    starts = np.ascontiguousarray(starts).reshape(-1, length)
    after = np.searchsorted(windows, starts.view(windows.dtype).ravel())
    common = np.zeros(len(starts), np.int64)
    for beside in (after - 1, after):
        theirs = windows[beside % len(windows)].view(np.uint8).reshape(len(starts), -1)
        same = theirs == starts.view(np.uint8)
        common = np.maximum(common, np.where(same.all(1), length * itemsize, same.argmin(1)))
    left = length - np.arange(length)  # of the sample from there on
    return np.minimum(common.reshape(count, length) // itemsize, left).max(1).astype(np.int32)


def longest_and_whole(lengths: Int32[np.ndarray, " n"], window: int) -> tuple[Estimate, Estimate]:
    """Mean length of the longest copied runs, in tokens, and fraction of samples copied whole.

    Both should be those of held-out text: a generator that copies has more, and one that has not
    learnt the language less.

    Args:
        lengths: of the longest run of each sample that the training text has, see `longest`.
        window: length of a sample.

    Raises:
        RequestError: there are fewer than two samples.
    """
    whole = of_proportion(int(np.count_nonzero(lengths == window)), len(lengths))
    return of_mean(lengths).clipped(0.0, float(window)), whole
