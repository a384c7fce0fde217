"""PyTorch checkpoints of plain tensors, read with NumPy alone and without executing anything.

`torch.save` writes a pickle of the objects, in which a tensor is a call of a rebuilding function on
the name of a storage, and the storages' bytes. Since PyTorch 1.6 both lie in an uncompressed zip
archive; before, they followed one another in one file, without any checksum.
"""

import collections
import io
import pickle
import pickletools
import zipfile
from typing import Any, NamedTuple

import numpy as np

from gan_jax.common.errors import RequestError

ZIP_START = b"PK\x03\x04"
LEGACY_START = [0x1950A86A20F9469CFC6C, 1001]  # magic number and version
DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
}


def decode(content: bytes, name: str) -> dict[str, np.ndarray]:
    """Returns the arrays of a state dict, by name.

    They are read-only views of the content: tensors that share a storage share memory.

    Args:
        content: what `torch.save` wrote of float64, float32, float16 or int64 tensors by name.
        name: of the file, for messages.

    Raises:
        RequestError: the content is damaged or anything else.
    """
    try:
        state, storages = (_zip if content.startswith(ZIP_START) else _legacy)(content)
        return _arrays(state, storages)
    except _RefusedError as refusal:
        raise RequestError(f"{name!r} {refusal}") from refusal
    except Exception as error:  # unpicklers and archives raise many kinds on damaged files
        raise RequestError(
            f"{name!r} is damaged or was not written by torch.save ({error!r})"
        ) from error


class _RefusedError(Exception):
    """Says what is wrong with a file; follows its name in the message."""


class _Storage(NamedTuple):
    key: str
    dtype: str
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


Storages = dict[str, np.ndarray]  # one-dimensional, by key


class _Unpickler(pickle.Unpickler):
    """Knows the few names that a state dict needs, so that nothing else can be called.

    Attributes:
        storages: those that the pickle refers to, by key.
    """

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, encoding="utf-8")
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        # A pickle can also set attributes of what it is given, so nothing here outlives it.
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *arguments: _Tensor(*arguments[:4])  # the others concern training
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        raise _RefusedError(
            f"needs {module}.{name}: only state dicts of plain float64, float32, float16 or "
            "int64 tensors are read, as torch.save(model.state_dict(), path) writes them"
        )

    def persistent_load(self, identifier: Any) -> _Storage:
        kind, dtype, key, _, size, *view = identifier
        if kind != "storage" or dtype not in DTYPES.values() or any(view):
            raise _RefusedError(f"refers to {identifier!r}, which is a view of another storage")
        storage = _Storage(key, dtype, size)
        if self.storages.setdefault(key, storage) != storage:
            raise _RefusedError(f"is damaged: it describes storage {key} in two ways")
        return storage


def _unpickle(file: io.BytesIO) -> tuple[Any, dict[str, _Storage]]:
    start = file.tell()
    end = len(file.getbuffer())
    for operation, argument, _ in pickletools.genops(file):
        # The unpickler clears as many places of its memo as the largest index says.
        if operation.name.endswith("PUT") and argument > end:
            raise _RefusedError(f"is damaged: its pickle counts {argument} objects")
    file.seek(start)
    unpickler = _Unpickler(file)
    return unpickler.load(), unpickler.storages


def _zip(content: bytes) -> tuple[Any, Storages]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        folder = next((name[:-8] for name in names if name.endswith("/data.pkl")), None)
        if folder is None:
            raise _RefusedError("is a zip archive, but not one of torch.save")

        def member(name: str) -> bytes:
            if archive.getinfo(folder + name).compress_type != zipfile.ZIP_STORED:
                raise _RefusedError("is compressed, which archives of torch.save are not")
            return archive.read(folder + name)  # compares the CRC-32

        if f"{folder}byteorder" in names and member("byteorder") != b"little":
            raise _RefusedError("was written on a big-endian machine")
        state, storages = _unpickle(io.BytesIO(member("data.pkl")))
        return state, {
            key: np.frombuffer(member(f"data/{key}"), storage.dtype, storage.size)
            for key, storage in storages.items()
        }


def _legacy(content: bytes) -> tuple[Any, Storages]:
    file = io.BytesIO(content)
    if [_unpickle(file)[0], _unpickle(file)[0]] != LEGACY_START:
        raise _RefusedError("is not a file of torch.save")
    if not _unpickle(file)[0]["little_endian"]:
        raise _RefusedError("was written on a big-endian machine")
    state, storages = _unpickle(file)
    arrays = {}
    for key in _unpickle(file)[0]:
        size = int.from_bytes(file.read(8), "little")
        _, dtype, expected = storages[key]
        if size != expected:
            raise _RefusedError(f"is damaged: storage {key} has {size} elements, not {expected}")
        arrays[key] = np.frombuffer(content, dtype, size, file.tell())
        file.seek(arrays[key].nbytes, io.SEEK_CUR)
    return state, arrays


def _arrays(state: Any, storages: Storages) -> dict[str, np.ndarray]:
    if not isinstance(state, dict):
        raise _RefusedError(f"holds no state dict but {type(state).__name__}")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, _Tensor):
            raise _RefusedError(f"holds no tensor as {name!r} but {type(value).__name__}")
    return {name: _view(name, value, storages) for name, value in state.items()}


def _view(name: str, value: _Tensor, storages: Storages) -> np.ndarray:
    storage = storages[value.storage.key]
    _, offset, shape, strides = value
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if min(offset, *shape, *strides, 0) < 0 or (0 not in shape and last >= storage.size):
        raise _RefusedError(f"is damaged: {name!r} reaches beyond its storage")
    steps = [stride * storage.itemsize for stride in strides]
    start = storage[min(offset, storage.size) :]
    return np.lib.stride_tricks.as_strided(start, shape, steps, writeable=False)
