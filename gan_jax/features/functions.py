"""A user's own function as a feature network."""

import hashlib
import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_jax.common.errors import RequestError
from gan_jax.features.network import Extracted, StoredSamples, check_samples, in_batches


@dataclass(frozen=True)
class Function:
    """A function of the user's own.

    Attributes:
        function: takes 256 samples at a time as the data store them, uint8 images [256, height,
            width, channels] for example, and returns features [256, features], or (features,
            probabilities [256, classes]).
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

        Changes in functions that it calls and in files that it reads are not noticed.

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

    def extract(self, stored: StoredSamples) -> Extracted:
        """Returns what the function does, as float32; see `FeatureNetwork`."""
        check_samples(self.name, stored)
        return in_batches(self._checked, stored)

    def _checked(self, batch: StoredSamples) -> tuple[np.ndarray, np.ndarray | None]:
        try:
            result = self.function(batch)
        except Exception as error:  # whatever the user's code raises
            *_, last = traceback.extract_tb(error.__traceback__)
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise RequestError(
                f"features: {self.name} fails ({last.filename}, line {last.lineno}) for samples of "
                f"type {batch.dtype}, shape {list(batch.shape)}: {reason}"
            ) from error
        features, probabilities = result[:2] if isinstance(result, tuple) else (result, None)
        for what, values in (("features", features), ("probabilities", probabilities)):
            if values is None and what == "probabilities":
                continue
            values = np.asarray(values)
            if values.ndim != 2 or len(values) != len(batch) or not values.shape[1]:
                raise RequestError(
                    f"features: {self.name} returned {what} of shape {values.shape} for "
                    f"{len(batch)} samples: must be [{len(batch)}, number of {what}]"
                )
            if not np.isfinite(values).all():
                raise RequestError(f"features: {self.name} returned {what} that are not finite")
        return features, probabilities


def function(function: Callable[..., Any]) -> Function:
    """Describes a function of the user's own, see `Function`."""
    return Function(function)
