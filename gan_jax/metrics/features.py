"""Feature networks: what turns images into the numbers that distances and scores are made of.

Each is a frozen description that compares by value, has a name, and says the sha256 of its weights,
so that a score can state what it was measured with.
"""

import functools
import hashlib
import importlib
import importlib.resources
import inspect
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from gan_jax.checks import check_not_empty, check_types, nearest
from gan_jax.data.progress import announced
from gan_jax.errors import RequestError
from gan_jax.metrics import classifier_file

# One compiled shape for any number of images, so that rounding does not depend on their number.
BATCH = 256

BUNDLED = "mnist_classifier.npz"
BUNDLED_SHA256 = "69b1b8f3e3a0f2be55eb100401ff782921f319113ea1afffa74108d2120bf134"

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


@dataclass(frozen=True)
class Classifier:
    """A classifier that `gan-jax features` made; its features are penultimate activations.

    Attributes:
        path: its file; None is the classifier of handwritten digits that is bundled, see `mnist`.
    """

    path: str | None = None

    def __post_init__(self) -> None:
        check_types(self)
        check_not_empty(self, "path")

    @property
    def name(self) -> str:
        """'mnist-cnn' for the bundled one, else the name of the file without its ending."""
        return "mnist-cnn" if self.path is None else Path(self.path).stem

    @property
    def description(self) -> classifier_file.Description:
        """How it was made, and its accuracy; RequestError where the file cannot be read."""
        return self._saved().description

    def sha256(self) -> str:
        """Returns the hash of the weights file; RequestError where the file cannot be read."""
        return hashlib.sha256(self._content()).hexdigest()

    def extract(self, pixels: Pixels) -> Extracted:
        """Returns features and probabilities; see `FeatureNetwork`."""
        return classify(self._saved(), pixels, self.name)

    def _saved(self) -> classifier_file.Saved:
        return _decoded(self._content(), str(self.path or BUNDLED))

    def _content(self) -> bytes:
        if self.path is None:
            content = (importlib.resources.files("gan_jax.metrics") / BUNDLED).read_bytes()
            check_sha256(BUNDLED, content, BUNDLED_SHA256)
            return content
        return read(self.path)


@dataclass(frozen=True)
class Function:
    """A function of the user's own.

    Attributes:
        function: takes uint8 images [count, height, width, channels], 256 at a time, and returns
            features [count, features], or (features, probabilities [count, classes]).
    """

    function: Callable[..., Any]

    def __post_init__(self) -> None:
        if not callable(self.function) or isinstance(self.function, type):
            raise RequestError(f"Function.function = {self.function!r}: must be a function")

    @property
    def name(self) -> str:
        """'module:function'."""
        function = inspect.unwrap(self.function)
        module = getattr(function, "__module__", type(function).__module__)
        return f"{module}:{getattr(function, '__qualname__', type(function).__qualname__)}"

    def sha256(self) -> str:
        """Returns the hash of the function's source code and of the values that it encloses.

        Helpers that it calls and files that it reads are not noticed.

        Raises:
            RequestError: there is no source code.
        """
        try:
            source = inspect.getsource(inspect.unwrap(self.function))
        except (OSError, TypeError) as error:
            raise RequestError(
                f"features: the source code of {self.name} cannot be read, so that its scores "
                f"could not say what they were measured with: define it in a file ({error})"
            ) from error
        enclosed = inspect.getclosurevars(inspect.unwrap(self.function)).nonlocals
        return hashlib.sha256(f"{source}{enclosed or ''}".encode()).hexdigest()

    def extract(self, pixels: Pixels) -> Extracted:
        """Returns what the function does, as float32; see `FeatureNetwork`."""
        check_pixels(self.name, pixels)
        return in_batches(self._checked, pixels)

    def _checked(self, batch: Pixels) -> tuple[np.ndarray, np.ndarray | None]:
        try:
            result = self.function(batch)
        except Exception as error:  # whatever the user's code raises
            *_, last = traceback.extract_tb(error.__traceback__)
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise RequestError(
                f"features: {self.name} fails ({last.filename}, line {last.lineno}) for images of "
                f"type uint8, shape {list(batch.shape)}: {reason}"
            ) from error
        features, probabilities = result[:2] if isinstance(result, tuple) else (result, None)
        for what, values in (("features", features), ("probabilities", probabilities)):
            if values is None and what == "probabilities":
                continue
            values = np.asarray(values)
            if values.ndim != 2 or len(values) != len(batch) or not values.shape[1]:
                raise RequestError(
                    f"features: {self.name} returned {what} of shape {values.shape} for "
                    f"{len(batch)} images: must be [{len(batch)}, number of {what}]"
                )
            if not np.isfinite(values).all():
                raise RequestError(f"features: {self.name} returned {what} that are not finite")
        return features, probabilities


def mnist() -> Classifier:
    """Describes the bundled classifier of handwritten digits: 28 x 28 pixels, grey, ten classes.

    99.57 % of MNIST's 10,000 test digits right, measured from the weights as stored; trained on the
    60,000 others with seed 0 at commit 681aa5b, on one x86 core, by

        gan-jax features mnist --out mnist_classifier.npz

    It has seen the bundled training digits and none of the bundled test digits. The file's sha256:
    69b1b8f3e3a0f2be55eb100401ff782921f319113ea1afffa74108d2120bf134.
    """
    return Classifier()


def classifier(path: str | os.PathLike[str]) -> Classifier:
    """Describes the classifier in a file that `gan-jax features` wrote.

    Raises:
        RequestError: `path` is no path. A file that is missing or wrong is reported when used.
    """
    return Classifier(os.fspath(path) if isinstance(path, os.PathLike) else path)


def function(function: Callable[..., Any]) -> Function:
    """Describes a function of the user's own, see `Function`."""
    return Function(function)


def classify(saved: classifier_file.Saved, pixels: Pixels, name: str = "") -> Extracted:
    """Returns features and probabilities of images.

    Args:
        saved: a classifier as its file holds it.
        pixels: the images.
        name: what the classifier is called in messages.

    Raises:
        RequestError: the images do not have the size or channels that it takes.
    """
    description, variables = saved
    check_pixels(name, pixels, (description.size, description.size, description.channels))
    return in_batches(functools.partial(_apply, description.network, variables), pixels)


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


# Keyed by content, so that a file that changes while the process lives is never served stale.
@functools.lru_cache(maxsize=4)
def _decoded(content: bytes, path: str) -> classifier_file.Saved:
    return classifier_file.decode(content, path)


@functools.partial(jax.jit, static_argnums=0)
def _apply(network, variables, pixels):
    images = (pixels.astype(jnp.float32) * 2 - 255) * (1 / 255)
    features, logits = network.apply(variables, images, training=False)
    return features, jax.nn.softmax(logits)
