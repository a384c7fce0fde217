"""Statistics of real images in a feature space, computed once and kept in the user's cache."""

import dataclasses
import hashlib
import io
import json
import logging
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import jax
import numpy as np
import platformdirs
from jaxtyping import Float32, UInt8

from gan_jax.files import write_atomically
from gan_jax.metrics.features import Extracted, FeatureNetwork
from gan_jax.metrics.frechet import Moments, moments

ORDER_SEED = 0  # of the permutation whose first examples stand for all of them
KEPT_BYTES = 2**27  # of features and probabilities of single examples
CHUNK = 1024  # examples gathered at a time
VERSION = 1  # of what happens between decoded pixels and a file; a new one makes old files unused

_DIGEST_BYTES = hashlib.sha256().digest_size
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """A set of images, as a feature network sees it; memory does not grow with their number.

    Attributes:
        moments: mean and covariance of the features of all images.
        kept: features and probabilities of the first of the images, which come in random order: of
            all where they take at most KEPT_BYTES.
    """

    moments: Moments
    kept: Extracted

    @property
    def count(self) -> int:
        """Number of images in the set."""
        return self.moments.count

    def first(self, count: int) -> Extracted:
        """Features and probabilities of at most `count` images."""
        return first(self.kept, count)


def first(extracted: Extracted, count: int) -> Extracted:
    """The first `count` rows of what was extracted."""
    features, probabilities = extracted
    return Extracted(features[:count], None if probabilities is None else probabilities[:count])


def gather(parts: Iterable[Extracted]) -> FeatureSet:
    """Makes one set of what was extracted from images in random order, part by part."""
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


def reference(
    pixels: UInt8[np.ndarray, "count height width channels"], network: FeatureNetwork
) -> FeatureSet:
    """Returns the statistics of images, from the cache where they are there.

    A file of the cache is named by the sha256 of the pixels, of the network's weights and of all
    else that the statistics depend on, and holds a sha256 of its content: neither a stale nor a
    damaged file is ever used. A function of the user's own is known by its source code alone: after
    a change elsewhere that it depends on, remove the file.

    Raises:
        RequestError: the network does not take these images, or its weights cannot be read.
    """
    path = platformdirs.user_cache_path("gan_jax") / "references" / _name(pixels, network)
    try:
        return _decode(path.read_bytes())
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        _logger.warning("computing the statistics again, for %s is damaged (%s)", path, error)
    found = gather(_extract(pixels, network))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, _encode(found))
    except OSError as error:
        _logger.warning("the statistics of the data are not cached: %s", error)
    return found


def _name(pixels: UInt8[np.ndarray, "..."], network: FeatureNetwork) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(pixels), CHUNK):
        digest.update(np.ascontiguousarray(pixels[start : start + CHUNK]))
    facts = {
        "pixels": [digest.hexdigest(), *pixels.shape],
        "network": [network.name, network.sha256()],
        "backend": jax.default_backend(),  # each rounds in its own way
        "constants": [VERSION, ORDER_SEED, KEPT_BYTES],
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest() + ".statistics"


def _extract(pixels: UInt8[np.ndarray, "..."], network: FeatureNetwork) -> Iterator[Extracted]:
    order = np.random.default_rng(ORDER_SEED).permutation(len(pixels))
    for start in range(0, len(order), CHUNK):
        yield network.extract(pixels[order[start : start + CHUNK]])


def _concatenate(parts: list[Extracted]) -> Extracted:
    features, probabilities = zip(*parts, strict=True)
    classifies = probabilities[0] is not None
    return Extracted(
        np.concatenate(features), np.concatenate(probabilities) if classifies else None
    )


def _encode(found: FeatureSet) -> bytes:
    arrays = dataclasses.asdict(found.moments) | found.kept._asdict()
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in arrays.items() if array is not None})
    content = buffer.getvalue()
    return hashlib.sha256(content).digest() + content


def _decode(content: bytes) -> FeatureSet:
    digest, content = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError("its content does not have the checksum written with it")
    with np.load(io.BytesIO(content)) as file:
        arrays = dict(file)
    kept = Extracted(arrays.pop("features"), arrays.pop("probabilities", None))
    return FeatureSet(Moments(**arrays | {"count": int(arrays["count"])}), kept)
