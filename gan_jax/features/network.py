"""Feature networks: what turns samples into the numbers that distances and scores are made of.

They take samples as data sets store them, of any rank and type: uint8 images, for example. Each is
a frozen description that compares by value, has a name, and gives the sha256 of its weights, so
that a score can state what it was measured with.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from jaxtyping import Bool, Float32, Int32, Integer, Shaped

from gan_jax.common.errors import RequestError
from gan_jax.common.progress import announced
from gan_jax.common.reading import read_bytes
from gan_jax.common.validation import nearest

# One compiled shape for any number of samples, so that rounding does not depend on their number.
BATCH = 256

StoredSamples = Shaped[np.ndarray, "count ..."]  # samples as a data set stores them


class Extracted(NamedTuple):
    """What a network says of samples.

    Attributes:
        features: float32 [count, features], finite.
        probabilities: of each class, float32 [count, classes], rows sum to 1; None where the
            network does not classify.
        good: whether each sample is as good as a real one, bool [count]; None where the network
            cannot tell.
        tokens: the samples themselves, uint8 or uint16 [count, length], where they are sequences of
            tokens; else None.
        longest_copies: length of the longest run of each sample that the training data have, in
            tokens, int32 [count]; None for samples without tokens, and where memory is too small.
        known_words: how many words of each sample the training text has, and how many words there
            are, int32 [count, 2]; None where samples have no words, or all are known.
    """

    features: Float32[np.ndarray, "count features"]
    probabilities: Float32[np.ndarray, "count classes"] | None
    good: Bool[np.ndarray, " count"] | None = None
    tokens: Integer[np.ndarray, "count length"] | None = None
    longest_copies: Int32[np.ndarray, " count"] | None = None
    known_words: Int32[np.ndarray, "count 2"] | None = None


class FeatureNetwork(Protocol):
    """A frozen, hashable description of a network, which is loaded when it is first used.

    A network may have two members more: `class_names`, the name of each of its classes, by which
    labels of data are matched with them, and `check_data(data)`, which raises RequestError where it
    cannot take samples of such data although their type and shape fit.
    """

    @property
    def name(self) -> str:
        """What the network is called beside a score."""

    def sha256(self) -> str:
        """Returns the hash of the weights file, or of a function's source code, in hexadecimal."""

    def extract(self, stored: StoredSamples) -> Extracted:
        """Returns features, and probabilities if any, of samples as a data set stores them.

        The results are the same, to the bit, however many more samples follow.

        Raises:
            RequestError: the samples do not have the type or shape that the network takes, or its
                weights are missing or altered.
        """


def read(path: str) -> bytes:
    """Returns the content of a weights file.

    Raises:
        RequestError: there is no such file, and names the one whose name is nearest; or it is not
            a regular file.
    """
    file = Path(path).expanduser()
    try:
        return read_bytes(file)
    except RequestError as error:
        raise RequestError(f"features: {error}") from error
    except OSError as error:
        names = os.listdir(file.parent) if file.parent.is_dir() else ()
        hint = "" if file.exists() else nearest(file.name, names)
        raise RequestError(f"features: cannot read {path!r}: {error.strerror}{hint}") from error


def check_sha256(name: str, content: bytes, right: str) -> None:
    """Checks that a weights file is the one that was published.

    Raises:
        RequestError: it is not; names both hashes.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != right:
        raise RequestError(
            f"features: {name} has been altered: its sha256 is {found}, and must be {right}; "
            "scores measured with it would not compare"
        )


def check_samples(
    name: str,
    stored: Any,
    dtype: str | None = None,
    shape: tuple[int | str, ...] | None = None,
    advice: str = "",
) -> None:
    """Checks samples before they go through a network.

    Args:
        name: what the network is called.
        stored: the samples.
        dtype: the type that the network takes; None where it takes any.
        shape: of one sample, with a name in the place of each size that may be any, ("height",
            "width", 3) for example; None where the network takes any shape.
        advice: what to do about samples of another shape; follows the message.

    Raises:
        RequestError: names what was given and what the network takes.
    """
    given = f"type {getattr(stored, 'dtype', type(stored).__name__)}, shape {np.shape(stored)}"
    wanted = "..." if shape is None else ", ".join(map(str, shape))
    kind = "" if dtype is None else f"type {dtype}, "
    wrong = f"features {name} take samples of {kind}shape [count, {wanted}], not {given}"
    if not isinstance(stored, np.ndarray) or not stored.ndim or not stored.size:
        raise RequestError(wrong)
    if dtype is not None and stored.dtype != dtype:
        raise RequestError(wrong)
    found = stored.shape[1:]
    if shape is None:
        return
    if len(found) != len(shape):
        raise RequestError(wrong)
    if any(isinstance(size, int) and size != n for size, n in zip(shape, found, strict=True)):
        raise RequestError(f"{wrong}{advice}")


def in_batches(
    network: Callable[[StoredSamples], tuple[Any, Any]], stored: StoredSamples, batch: int = BATCH
) -> Extracted:
    """Runs samples through a network in batches, the last of them padded with the last sample.

    Args:
        network: takes a batch of samples, and returns features and probabilities or None.
        stored: the samples.
        batch: how many samples the network takes at a time.
    """
    features, probabilities = [], []
    starts = range(0, len(stored), batch)
    for start in announced(starts, len(starts), f"Extracting features, batches of {batch}"):
        positions = np.minimum(np.arange(start, start + batch), len(stored) - 1)
        batch_features, batch_probabilities = network(stored[positions])
        features.append(np.asarray(batch_features, np.float32))
        if batch_probabilities is not None:
            probabilities.append(np.asarray(batch_probabilities, np.float32))
    return Extracted(
        np.concatenate(features)[: len(stored)],
        np.concatenate(probabilities)[: len(stored)] if probabilities else None,
    )
