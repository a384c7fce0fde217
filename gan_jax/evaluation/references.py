"""Statistics of real images in a feature space, computed once and kept in the user's cache."""

import dataclasses
import hashlib
import io
import json
import logging
import zipfile
from collections.abc import Iterator

import jax
import numpy as np
import platformdirs
from jaxtyping import UInt8

from gan_jax.common.files import write_atomically
from gan_jax.evaluation import feature_sets
from gan_jax.evaluation.feature_sets import FeatureSet, gather
from gan_jax.features.network import Extracted, FeatureNetwork
from gan_jax.metrics.frechet import Moments

ORDER_SEED = 0  # of the permutation whose first examples stand for all of them
CHUNK = 1024  # examples gathered at a time
VERSION = 1  # of what happens between decoded pixels and a file; a new one makes old files unused

_DIGEST_BYTES = hashlib.sha256().digest_size
_logger = logging.getLogger(__name__)


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
        "constants": [VERSION, ORDER_SEED, feature_sets.KEPT_BYTES],
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest() + ".statistics"


def _extract(pixels: UInt8[np.ndarray, "..."], network: FeatureNetwork) -> Iterator[Extracted]:
    order = np.random.default_rng(ORDER_SEED).permutation(len(pixels))
    for start in range(0, len(order), CHUNK):
        yield network.extract(pixels[order[start : start + CHUNK]])


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
    kept = Extracted(*(arrays.pop(name, None) for name in Extracted._fields))
    return FeatureSet(Moments(**arrays | {"count": int(arrays["count"])}), kept)
