"""The order in which examples are seen: a pure function of (seed, step)."""

import functools
import operator

import numpy as np
from jaxtyping import Int32

from gan_jax.common.errors import RequestError


def batch_indices(count: int, seed: int, step: int, batch_size: int) -> Int32[np.ndarray, " batch"]:
    """Returns which of `count` examples form the batch of one step.

    The examples are visited in an infinite sequence of epochs, each a fresh permutation of all of
    them; batch `step` is positions `step * batch_size` up to `(step + 1) * batch_size` of it. A
    batch may therefore span two epochs. The cost does not depend on `step`.

    Args:
        count: number of examples in the data set.
        seed: any non-negative integer; each seed gives another order.
        step: any non-negative integer.
        batch_size: between 1 and `count`.

    Returns:
        Indices in [0, count), int32 [batch_size].

    Raises:
        RequestError: An argument is not an integer or lies outside its range.
    """
    seed, step = _non_negative("seed", seed), _non_negative("step", step)
    batch_size = _non_negative("batch_size", batch_size)
    if not 1 <= batch_size <= count:
        raise RequestError(
            f"batch_size must be between 1 and the number of examples, {count}, not {batch_size}"
        )
    epoch, offset = divmod(step * batch_size, count)
    batch = _permutation(count, seed, epoch)[offset : offset + batch_size]
    missing = batch_size - len(batch)
    if missing:
        batch = np.concatenate([batch, _permutation(count, seed, epoch + 1)[:missing]])
    return batch


# A sweep in one program asks for one or two epochs of each of its seeds at every step.
@functools.lru_cache(maxsize=64)
def _permutation(count: int, seed: int, epoch: int) -> Int32[np.ndarray, " count"]:
    # NumPy guarantees the raw stream of a bit generator across versions, and not the algorithm of
    # Generator.permutation: sorting raw draws keeps a resumed run on the same order.
    stream = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(epoch,)))
    permutation = np.argsort(stream.random_raw(count), kind="stable").astype(np.int32)
    permutation.flags.writeable = False
    return permutation


def _non_negative(name: str, value: object) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise RequestError(f"{name} must be an integer, not {type(value).__name__} {value!r}")
    if number < 0:
        raise RequestError(f"{name} must not be negative, but is {number}")
    return number
