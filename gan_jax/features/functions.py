"""A user's own function as a feature network."""

import hashlib
import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_jax.common.errors import RequestError
from gan_jax.features.network import Extracted, Pixels, check_pixels, in_batches


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


def function(function: Callable[..., Any]) -> Function:
    """Describes a function of the user's own, see `Function`."""
    return Function(function)
