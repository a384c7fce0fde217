"""Points in the plane: mixtures of Gaussians, whose modes are known."""

import functools
import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from gan_jax.common.errors import RequestError
from gan_jax.common.memory import check_fits
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.data.dataset import Files, RawBatch, Stored, check_path
from gan_jax.data.grids import save_png
from gan_jax.data.order import batch_indices

if TYPE_CHECKING:  # features import JAX, which describing data must not
    from gan_jax.features.network import FeatureNetwork

PIXELS, DOT = 256, 2  # height and width of a page, and of a point in it
MARGIN = 1.25  # how far a page reaches, in distances of the farthest centre from the origin
# A point is good within so many deviations of a centre (Srivastava et al., 2017, section 4.1).
GOOD_DEVIATIONS = 3.0


class Points(NamedTuple):
    """Examples as stored."""

    sample: Float32[np.ndarray, "count 2"]
    label: None


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians in the plane, all of equal weight and spread.

    Implements `gan_jax.data.dataset.Dataset`. Points are samples as they are stored.

    Attributes:
        centres: (x, y) of each Gaussian.
        deviation: standard deviation of each coordinate around its centre.
        count: how many points are drawn, once: the data set.
        seed: seed of that draw.
    """

    centres: tuple[tuple[float, float], ...]
    deviation: float
    count: int = 100_000
    seed: int = 0

    # Of the contract: no point has a label.
    labels = False
    classes = 0
    class_names = ()
    split = "all"
    sample_shape = (2,)
    stored = Stored((2,), "float32")
    samples_per_page = 1024
    suffixes = (".png",)
    final_suffixes = ()

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "count", at_least=1)
        check_bounds(self, "deviation seed", at_least=0)
        if not self.centres or any(len(centre) != 2 for centre in self.centres):
            raise RequestError(f"Mixture.centres = {self.centres}: must be points (x, y)")

    def load(self) -> Points:
        """Returns all points, always the same."""
        return Points(_drawn(self), None)

    def fingerprint(self) -> str:
        """Returns the sha256 of the points."""
        return hashlib.sha256(self.load().sample.tobytes()).hexdigest()

    def fitted(self) -> None:
        """Returns None: the description says all that samples are written and read with."""

    def held_out(self) -> "Mixture":
        """Describes other points of the same mixture."""
        return replace(self, seed=self.seed + 1)

    def features(self) -> "FeatureNetwork":
        """Returns what assigns each point to the nearest Gaussian."""
        from gan_jax.features import NearestMode

        return NearestMode(self.centres, GOOD_DEVIATIONS * self.deviation)

    def indices(self, seed: int, step: int, batch_size: int) -> Int32[np.ndarray, " batch"]:
        """Returns which points form a batch; see `order.batch_indices`."""
        return batch_indices(self.count, seed, step, batch_size)

    def gather(self, indices: Int32[np.ndarray, " batch"]) -> RawBatch:
        """Returns the points at the given positions."""
        return {"sample": self.load().sample[indices], "label": None}

    def batch(self, seed: int, step: int, batch_size: int) -> dict[str, Any]:
        """Returns the batch of one step as the networks take it."""
        return self.prepare(self.gather(self.indices(seed, step, batch_size)))

    def prepare(self, raw: RawBatch) -> dict[str, Any]:
        """Returns the points as they are."""
        return {"sample": raw["sample"], "condition": None}

    def to_stored(self, samples: Float32[np.ndarray, "count 2"]) -> Float32[np.ndarray, "count 2"]:
        """Returns the points as they are."""
        return samples

    def page(
        self, samples: Float32[np.ndarray, "count 2"], columns: int | None = None
    ) -> UInt8[np.ndarray, "side side 1"]:
        """Draws points in black over points of the data in grey, without those far outside.

        All of them are drawn into one image, whatever `columns` says.
        """
        reach = MARGIN * max(math.hypot(*centre) for centre in self.centres) or 1.0
        page = np.full((PIXELS, PIXELS, 1), 255, np.uint8)
        for points, grey in ((self.load().sample[: len(samples)], 200), (samples, 0)):
            where = np.rint((np.asarray(points) / reach + 1) * PIXELS / 2 - DOT / 2)
            inside = where[((where >= 0) & (where <= PIXELS - DOT)).all(axis=1)].astype(int)
            for right, up in np.ndindex(DOT, DOT):
                page[PIXELS - 1 - inside[:, 1] - up, inside[:, 0] + right] = grey
        return page

    def cells(
        self, page: UInt8[np.ndarray, "side side 1"], columns: int
    ) -> UInt8[np.ndarray, "1 side side 1"]:
        """Returns the page as the only cell."""
        return page[None]

    def write(
        self,
        parts: Iterable[Float32[np.ndarray, "_part 2"]],
        path: Path,
        columns: int | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        """Writes a page, .png; see `Dataset.write`."""
        check_path(path, self.suffixes)
        save_png(self.page(np.concatenate(list(parts))), path)

    def read(self, paths: Sequence[Path], largest: int | None = None) -> Files:
        """Raises RequestError: there are no files of points."""
        raise RequestError(f"{paths[0]}: the run was trained on points, which come in no files")


def ring(modes: int = 8, radius: float = 2.0, deviation: float = 0.02) -> Mixture:
    """Gaussians on a circle (Metz et al., 2017, section 3.1, have 8 of them)."""
    if modes < 1:
        raise RequestError(f"modes = {modes}: must be at least 1")
    angles = [2 * math.pi * mode / modes for mode in range(modes)]
    centres = tuple((radius * math.cos(angle), radius * math.sin(angle)) for angle in angles)
    return Mixture(centres, deviation)


def grid(side: int = 5, spacing: float = 2.0, deviation: float = 0.05) -> Mixture:
    """Gaussians on a square grid around the origin (Srivastava et al., 2017, have 5 times 5)."""
    if side < 1:
        raise RequestError(f"side = {side}: must be at least 1")
    places = [spacing * (place - (side - 1) / 2) for place in range(side)]
    return Mixture(tuple((x, y) for y in places for x in places), deviation)


@functools.lru_cache(maxsize=4)
def _drawn(mixture: Mixture) -> Float32[np.ndarray, "count 2"]:
    check_fits(f"Mixture.count = {mixture.count}: drawing so many points", 48 * mixture.count)
    generator = np.random.default_rng(mixture.seed)
    centres = np.array(mixture.centres)[
        generator.integers(len(mixture.centres), size=mixture.count)
    ]
    noise = generator.standard_normal((mixture.count, 2))
    points = (centres + mixture.deviation * noise).astype(np.float32)
    points.flags.writeable = False
    return points
