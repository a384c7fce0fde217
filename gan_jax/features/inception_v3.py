"""Inception-v3, whose features the Fréchet inception distance and the Inception score use."""

import functools
import hashlib
import http.client
import logging
import os
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from gan_jax.common.errors import RequestError
from gan_jax.common.files import followed, write_atomically
from gan_jax.common.progress import announced
from gan_jax.common.validation import check_not_empty, check_types
from gan_jax.features import torch_file
from gan_jax.features.network import Extracted, StoredSamples, check_samples, in_batches, read
from gan_jax.networks import inception as network

URL = (
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
    "pt_inception-2015-12-05-6726825d.pth"
)
SHA256_START = "6726825d"  # as the published file's name says
TIMEOUT = 10.0  # seconds without an answer
CHUNK = 2**20  # bytes
BATCH = 16  # takes 1 GB

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inception:
    """Inception-v3 with weights from a file, see `inception`.

    Attributes:
        path: the checkpoint.
    """

    path: str

    def __post_init__(self) -> None:
        check_types(self)
        check_not_empty(self, "path")

    @property
    def name(self) -> str:
        """'inception-v3-fid', whatever the weights, which `sha256` distinguishes."""
        return "inception-v3-fid"

    def sha256(self) -> str:
        """Returns the hash of the file; RequestError where it cannot be read."""
        return hashlib.sha256(self._content()).hexdigest()

    def extract(self, stored: StoredSamples) -> Extracted:
        """Returns 2,048 features and the probabilities of 1,008 classes of uint8 images.

        Images may have any size, and are resized to 299 x 299 as `networks.inception.resize` does;
        grey ones are repeated to three channels. Warns of weights that are not the published ones.

        Raises:
            RequestError: the samples are not uint8 images with 1 or 3 channels, or the file is
                missing, damaged, or holds other arrays than Inception-v3's or numbers that are not
                finite.
        """
        check_samples(self.name, stored, "uint8", ("height", "width", "channels"))
        if stored.shape[3] not in (1, 3):
            raise RequestError(
                f"features {self.name} take samples with 1 or 3 channels, not shape {stored.shape}"
            )
        variables = _variables(self._content(), self.path)
        colour = np.broadcast_to(stored, (*stored.shape[:3], 3))
        return in_batches(lambda batch: _apply(variables, _prepare(batch)), colour, BATCH)

    def _content(self) -> bytes:
        return read(self.path)


def inception(path: str | os.PathLike[str]) -> Inception:
    """Describes Inception-v3 as the Fréchet inception distance uses it (Heusel et al., 2017).

    Args:
        path: the published checkpoint pt_inception-2015-12-05-6726825d.pth, which
            `gan-jax features inception --out FILE.pth` downloads.

    Raises:
        RequestError: `path` is not a path. A file that is missing or wrong is reported when used.
    """
    return Inception(os.fspath(path) if isinstance(path, os.PathLike) else path)


def download(out: Path) -> None:
    """Downloads the published weights, 91 MB, unless the file holds them; reports on stderr.

    Raises:
        RequestError: `out` does not end in .pth or its folder is missing, the server cannot be
            reached or falls silent for TIMEOUT seconds, or sends something else.
    """
    out = followed(out)
    if out.suffix.lower() != ".pth":
        raise RequestError(f"--out {out}: must end in .pth")
    if not out.parent.is_dir():
        raise RequestError(f"--out {out}: there is no folder {out.parent}")
    if out.is_file() and _is_published(out.read_bytes()):
        print(f"The weights of Inception-v3 are in {out} already", file=sys.stderr)
        return
    print(f"Downloading the weights of Inception-v3 from {URL}", file=sys.stderr)
    try:
        # A new opener, as urllib's shared one keeps the proxies that it was first used with.
        with urllib.request.build_opener().open(URL, timeout=TIMEOUT) as answer:
            chunks = -(-(answer.length or 0) // CHUNK)
            content = b"".join(announced(_chunks(answer), chunks, "Downloading, MiB"))
    except (OSError, http.client.HTTPException) as error:
        raise RequestError(
            f"the weights of Inception-v3 cannot be downloaded ({error}); copy {URL} to {out}"
        ) from error
    if not _is_published(content):
        raise RequestError(
            f"what {URL} sends are not the weights of Inception-v3: the sha256 of its "
            f"{len(content):,} bytes should begin with {SHA256_START} and is "
            f"{hashlib.sha256(content).hexdigest()}; nothing was written"
        )
    write_atomically(out, content)
    print(f"The weights of Inception-v3 are in {out}", file=sys.stderr)


def _chunks(answer: Any) -> Iterator[bytes]:
    while chunk := answer.read(CHUNK):
        yield chunk


def _is_published(content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest().startswith(SHA256_START)


# Keyed by content, so that a file that changes while the process lives is never served stale.
@functools.lru_cache(maxsize=1)
def _variables(content: bytes, path: str) -> PyTree:
    variables = network.from_checkpoint(torch_file.decode(content, path), path)
    if not _is_published(content):
        _logger.warning(
            "%s does not hold the published weights of Inception-v3: its sha256 is %s and should "
            "begin with %s; distances and scores cannot be compared with published ones",
            path,
            hashlib.sha256(content).hexdigest(),
            SHA256_START,
        )
    return variables


# Compiled for each size of images, which takes a moment, and the network once, which takes seconds.
_prepare = jax.jit(network.prepare)


@jax.jit
def _apply(variables: PyTree, images: np.ndarray) -> tuple[jax.Array, jax.Array]:
    outputs = network.Inception().apply(variables, images)
    return outputs.features, jax.nn.softmax(outputs.logits)
