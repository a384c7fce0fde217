"""Samples as a feature network sees them: what is kept of any number of samples."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from gan_jax.features.network import Extracted
from gan_jax.metrics.frechet import Moments, moments

KEPT_BYTES = 2**27  # of features and probabilities of single samples


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """A set of samples, as a feature network sees it; memory does not grow with their number.

    Attributes:
        moments: mean and covariance of the features of all samples.
        kept: features and probabilities of the first samples, which come in random order: of all of
            them where these take at most KEPT_BYTES.
    """

    moments: Moments
    kept: Extracted

    @property
    def count(self) -> int:
        """Number of samples in the set."""
        return self.moments.count

    def first(self, count: int) -> Extracted:
        """Returns features and probabilities of at most `count` samples."""
        return first(self.kept, count)


def first(extracted: Extracted, count: int) -> Extracted:
    """Returns the first `count` rows of what was extracted."""
    return Extracted(*(None if array is None else array[:count] for array in extracted))


def gather(parts: Iterable[Extracted]) -> FeatureSet:
    """Makes one set of what was extracted from samples in random order, part by part."""
    kept: list[Extracted] = []

    def features() -> Iterator[Float32[np.ndarray, "part features"]]:
        rows = 0
        for extracted in parts:
            row_bytes = sum(array[0].nbytes for array in extracted if array is not None)
            room = max(KEPT_BYTES // row_bytes - rows, 0)
            if room:
                kept.append(first(extracted, room))
            rows += len(extracted.features)
            yield extracted.features

    return FeatureSet(moments(features()), _concatenate(kept))


def _concatenate(parts: list[Extracted]) -> Extracted:
    columns = zip(*parts, strict=True)
    return Extracted(*(None if of[0] is None else np.concatenate(of) for of in columns))
