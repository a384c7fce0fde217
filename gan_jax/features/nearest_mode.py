"""The mode next to each point: what stands for a feature network where the modes are known."""

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.features.network import Extracted


@dataclass(frozen=True)
class NearestMode:
    """Points are their own features, their class is the nearest mode, and good is near to it.

    Attributes:
        centres: (x, y) of each mode.
        radius: a sample is good where it lies at most so far from the nearest centre.
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
        """What stands beside a score."""
        return "nearest-mode"

    def sha256(self) -> str:
        """Returns the hash of centres and radius."""
        return hashlib.sha256(repr((self.centres, self.radius)).encode()).hexdigest()

    def extract(self, points: Float32[np.ndarray, "count 2"]) -> Extracted:
        """Returns the points, the nearest mode of each as a probability of 1, and which are good.

        Raises:
            RequestError: these are no points in the plane.
        """
        if points.ndim != 2 or points.shape[1] != 2:
            raise RequestError(f"nearest-mode takes points [count, 2], not {list(points.shape)}")
        centres = np.array(self.centres, np.float32)
        distances = np.linalg.norm(points[:, None] - centres, axis=-1)
        nearest = distances.argmin(axis=1)
        probabilities = np.zeros(distances.shape, np.float32)
        np.put_along_axis(probabilities, nearest[:, None], 1.0, axis=1)
        return Extracted(points, probabilities, distances.min(axis=1) <= self.radius)
