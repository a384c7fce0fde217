"""Decoded images on disk, so that each data set is decoded once."""

import contextlib
import hashlib
import inspect
import itertools
import json
import logging
import os
import struct
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from jaxtyping import UInt8

from gan_jax.data.sources import decode
from gan_jax.data.sources.base import Examples

Decoder = Callable[[list[str]], Iterator[tuple[UInt8[np.ndarray, "size size channels"], int]]]

# A file holds pixels, labels (int32), JSON, and this trailer: magic, length and CRC-32 of the JSON.
# The description comes last because the number of images is known only then. This is one file, not
# .npy files and a description, so that one rename replaces all of it.
_TRAILER = struct.Struct("<8sQI")
_MAGIC = b"gan_jax1"
_DAY = 86_400.0  # seconds

_logger = logging.getLogger(__name__)


def cached(
    folder: Path,
    slot: Any,
    state: Any,
    shape: tuple[int, int, int],
    class_names: tuple[str, ...],
    decoder: Decoder,
) -> tuple[Examples, list[str]]:
    """Returns decoded images from a file in `folder`, which is written if it is missing.

    The file is written under another name and then renamed, so that several processes may do this
    at the same time. A damaged file is written again. If no file can be written, the images are
    decoded into memory.

    Args:
        folder: where the files are.
        slot: what is decoded, as JSON; a new file of a slot replaces the old one.
        state: all else that the pixels depend on, as JSON. This package's way of decoding and the
            version of Pillow are added.
        shape: shape of each image, (size, size, channels).
        class_names: name of each class; empty for images without labels.
        decoder: yields pixels and label of each image, and appends a note on each image that it
            leaves out to the list that it is given.

    Returns:
        The images, as a read-only memory map of the file if there is one, and the decoder's notes.
    """
    code = [inspect.getsource(decode), _MAGIC.decode(), PIL.__version__]
    prefix = f"gan_jax-{_digest(slot)}"
    path = folder / f"{prefix}-{_digest([state, shape, class_names, code])}.images"
    if path.exists():
        try:
            return _read(path, shape, class_names)
        except (OSError, ValueError) as error:
            _logger.warning("decoding again, for the cache %s is damaged (%s)", path, error)
    try:
        _write(path, decoder)
        _remove_superseded(path, prefix)
        return _read(path, shape, class_names)
    except OSError as error:
        _logger.warning("images are not cached, which makes the next start slower: %s", error)
    return _in_memory(shape, class_names, decoder)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def _write(path: Path, decoder: Decoder) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            _write_images(file, decoder)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_images(file: Any, decoder: Decoder) -> None:
    labels: list[int] = []
    notes: list[str] = []
    crc = 0
    for pixels, label in decoder(notes):
        image_bytes = pixels.tobytes()
        crc = zlib.crc32(image_bytes, crc)
        file.write(image_bytes)
        labels.append(label)
    label_bytes = np.array(labels, np.int32).tobytes()
    crc = zlib.crc32(label_bytes, crc)
    description = json.dumps({"count": len(labels), "notes": notes, "crc": crc}).encode()
    file.write(label_bytes + description)
    file.write(_TRAILER.pack(_MAGIC, len(description), zlib.crc32(description)))


def _read(
    path: Path, shape: tuple[int, int, int], class_names: tuple[str, ...]
) -> tuple[Examples, list[str]]:
    """Returns what `_write` wrote; raises ValueError or OSError for any other file."""
    content = np.memmap(path, np.uint8, mode="r").view(np.ndarray)
    end = len(content) - _TRAILER.size
    magic, length, crc = _TRAILER.unpack(content[max(end, 0) :].tobytes().ljust(_TRAILER.size))
    if magic != _MAGIC or not 0 < length <= end:
        raise ValueError("its end is missing")
    data, description = content[: end - length], content[end - length : end].tobytes()
    if zlib.crc32(description) != crc:
        raise ValueError("its description does not have the checksum written with it")
    described = json.loads(description)
    # Reading all of it takes a second per gigabyte or so, once, and training reads it anyway.
    if zlib.crc32(data) != described["crc"]:
        raise ValueError("its images do not have the checksum written with them")
    count, split = described["count"], described["count"] * int(np.prod(shape))
    label = np.frombuffer(data[split:].tobytes(), np.int32) if class_names else None
    return Examples(data[:split].reshape(count, *shape), label, class_names), described["notes"]


def _in_memory(
    shape: tuple[int, int, int], class_names: tuple[str, ...], decoder: Decoder
) -> tuple[Examples, list[str]]:
    notes: list[str] = []
    labels: list[int] = []
    pixels = bytearray()
    for image, label in decoder(notes):
        pixels += image.tobytes()
        labels.append(label)
    sample = np.frombuffer(pixels, np.uint8).reshape(len(labels), *shape)
    label = np.array(labels, np.int32) if class_names else None
    return Examples(sample, label, class_names), notes


def _remove_superseded(path: Path, prefix: str) -> None:
    # Another process may be writing a temporary file right now; one a day old was left behind.
    old = (file for file in path.parent.glob(f"{prefix}-*.images") if file != path)
    temporary = path.parent.glob(f"{prefix}-*.tmp")
    with contextlib.suppress(OSError):
        stale = (file for file in temporary if time.time() - file.stat().st_mtime > _DAY)
        for file in itertools.chain(old, stale):
            file.unlink()
