"""Points and their nearest modes: a feature network for data whose modes are known."""

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.features.network import Extracted, check_samples


@dataclass(frozen=True)
class NearestMode:
    """Takes points as their own features, the nearest mode as their class, and near ones as good.

    Attributes:
        centres: (x, y) of each mode.
        radius: distance from the nearest centre up to which a sample is good.
    """

    centres: tuple[tuple[float, float], ...]
    radius: float

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "radius", at_least=0)
        if not self.centres or any(len(centre) != 2 for centre in self.centres):
            raise RequestError(f"NearestMode.centres = {self.centres}: must be points (x, y)")

    @property
    def name(self) -> str:
        """What the network is called beside a score."""
        return "nearest-mode"

    def sha256(self) -> str:
        """Returns the hash of centres and radius."""
        return hashlib.sha256(repr((self.centres, self.radius)).encode()).hexdigest()

    def extract(self, points: Float32[np.ndarray, "count 2"]) -> Extracted:
        """Returns the points, the nearest mode of each as a probability of 1, and which are good.

        Raises:
            RequestError: these are not points in the plane.
        """
        check_samples(self.name, points, shape=(2,))
        centres = np.array(self.centres, np.float32)
        distances = np.linalg.norm(points[:, None] - centres, axis=-1)
        nearest = distances.argmin(axis=1)
        probabilities = np.zeros(distances.shape, np.float32)
        np.put_along_axis(probabilities, nearest[:, None], 1.0, axis=1)
        return Extracted(points, probabilities, distances.min(axis=1) <= self.radius)
