"""Feature networks: what turns images into the numbers that distances and scores are made of.

Each is a frozen description that compares by value, has a name, and says the sha256 of its weights,
so that a score can state what it was measured with.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from gan_jax.common.errors import RequestError
from gan_jax.common.progress import announced
from gan_jax.common.validation import nearest

# One compiled shape for any number of images, so that rounding does not depend on their number.
BATCH = 256


Pixels = UInt8[np.ndarray, "count height width channels"]


class Extracted(NamedTuple):
    """What a network says of images.

    Attributes:
        features: float32 [count, features], finite.
        probabilities: of each class, float32 [count, classes], rows sum to 1; None where the
            network is no classifier.
        good: whether each is as good as real, bool [count]; None where that is not known.
    """

    features: Float32[np.ndarray, "count features"]
    probabilities: Float32[np.ndarray, "count classes"] | None
    good: Bool[np.ndarray, " count"] | None = None


class FeatureNetwork(Protocol):
    """A frozen, hashable description of a network, which is loaded when it is first used."""

    @property
    def name(self) -> str:
        """What the network is called beside a score."""

    def sha256(self) -> str:
        """Returns the hash of the weights file, or of a function's source code, in hexadecimal."""

    def extract(self, pixels: Pixels) -> Extracted:
        """Returns features, and probabilities if any, of images with values in [0, 255].

        The results are the same, to the bit, however many more images follow.

        Raises:
            RequestError: the images do not have the size or channels that the network takes, or its
                weights are missing or altered.
        """


def read(path: str) -> bytes:
    """Returns the content of a weights file.

    Raises:
        RequestError: there is no such file; names the one whose name is nearest.
    """
    file = Path(path).expanduser()
    try:
        return file.read_bytes()
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


def check_pixels(name: str, pixels: Any, shape: tuple[int, int, int] | None = None) -> None:
    """Checks images before they go through a network.

    Args:
        name: what the network is called.
        pixels: the images.
        shape: (height, width, channels) that the network takes; None where it takes any.

    Raises:
        RequestError: names what was given and what the network takes.
    """
    given = f"type {getattr(pixels, 'dtype', type(pixels).__name__)}, shape {np.shape(pixels)}"
    wanted = "height, width, channels" if shape is None else ", ".join(map(str, shape))
    right = f"features {name} take images of type uint8, shape [count, {wanted}]"
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 4:
        raise RequestError(f"{right}, not {given}")
    if not len(pixels):
        raise RequestError(f"{right}, not {given}")
    if shape is not None and pixels.shape[1:] != shape:
        advice = "`gan-jax features` trains a network for images of any size"
        raise RequestError(f"{right}, not {given}; {advice}")


def in_batches(
    network: Callable[[Pixels], tuple[Any, Any]], pixels: Pixels, batch: int = BATCH
) -> Extracted:
    """Runs images through a network in batches, the last of them padded with the last image.

    Args:
        network: takes uint8 images, and returns features and probabilities or None.
        pixels: the images.
        batch: how many images it takes.
    """
    features, probabilities = [], []
    starts = range(0, len(pixels), batch)
    for start in announced(starts, len(starts), f"Extracting features, batches of {batch}"):
        positions = np.minimum(np.arange(start, start + batch), len(pixels) - 1)
        batch_features, batch_probabilities = network(pixels[positions])
        features.append(np.asarray(batch_features, np.float32))
        if batch_probabilities is not None:
            probabilities.append(np.asarray(batch_probabilities, np.float32))
    return Extracted(
        np.concatenate(features)[: len(pixels)],
        np.concatenate(probabilities)[: len(pixels)] if probabilities else None,
    )
