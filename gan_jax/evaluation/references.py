"""Statistics of real examples in a feature space, computed once and kept in the user's cache."""

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

from gan_jax.common.files import write_atomically
from gan_jax.evaluation import feature_sets
from gan_jax.evaluation.feature_sets import FeatureSet, gather
from gan_jax.features.network import Extracted, FeatureNetwork, StoredSamples
from gan_jax.metrics.frechet import Moments

ORDER_SEED = 0  # of the permutation that decides which examples are kept
CHUNK = 1024  # examples gathered at a time
VERSION = 1  # of how the statistics are computed and written; a new one makes old files unused

_DIGEST_BYTES = hashlib.sha256().digest_size
_logger = logging.getLogger(__name__)


def reference(stored: StoredSamples, network: FeatureNetwork) -> FeatureSet:
    """Returns the statistics of examples, from the cache if it has them.

    A file of the cache is named by a hash of the examples, of the network's weights and of all else
    that the statistics depend on, and holds the sha256 of its content: neither a stale nor a
    damaged file is ever used. A function of the user's own is identified by its source code alone:
    after a change elsewhere that it depends on, remove the file.

    Raises:
        RequestError: the network does not take these examples, or its weights cannot be read.
    """
    path = platformdirs.user_cache_path("gan_jax") / "references" / _name(stored, network)
    try:
        return _decode(path.read_bytes())
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        _logger.warning("computing the statistics again, for %s is damaged (%s)", path, error)
    found = gather(_extract(stored, network))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, _encode(found))
    except OSError as error:
        _logger.warning("the statistics of the data are not cached: %s", error)
    return found


def _name(stored: StoredSamples, network: FeatureNetwork) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(stored), CHUNK):
        digest.update(np.ascontiguousarray(stored[start : start + CHUNK]))
    facts = {
        "examples": [digest.hexdigest(), str(stored.dtype), *stored.shape],
        "network": [network.name, network.sha256()],
        "backend": jax.default_backend(),  # each rounds in its own way
        "constants": [VERSION, ORDER_SEED, feature_sets.KEPT_BYTES],
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest() + ".statistics"


def _extract(stored: StoredSamples, network: FeatureNetwork) -> Iterator[Extracted]:
    order = np.random.default_rng(ORDER_SEED).permutation(len(stored))
    for start in range(0, len(order), CHUNK):
        yield network.extract(stored[order[start : start + CHUNK]])


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
