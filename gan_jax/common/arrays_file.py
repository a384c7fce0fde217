"""Reading .npz files that anybody may have made, and writing some that do not fit into memory.

`numpy.load` allocates whatever the header of an array says, however few bytes follow, and
`numpy.savez` takes whole arrays.
"""

import math
import zipfile
from collections.abc import Callable, Iterable
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.lib import format as npy

from gan_jax.common.memory import in_words, machine_bytes

NPY = ".npy"
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class Contents(NamedTuple):
    """Arrays of a file, and the names of all that it holds."""

    arrays: dict[str, np.ndarray]
    names: tuple[str, ...]


class DamagedArraysError(Exception):
    """A file is not an .npz file of plain arrays, or does not fit into memory; says why."""


def read_arrays(file: BinaryIO, wanted: Callable[[str], bool] = lambda name: True) -> Contents:
    """Reads arrays of an .npz file; never unpickles.

    Args:
        file: its content.
        wanted: whether an array of that name is read.

    Raises:
        DamagedArraysError: the file is not one, or is damaged, an array that is wanted holds Python
            objects, or those that are do not fit into memory.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = {info.filename.removesuffix(NPY): info for info in archive.infolist()}
            chosen = {name: info for name, info in members.items() if wanted(name)}
            room = machine_bytes()
            for name, info in chosen.items():
                room -= _checked_size(archive, info, name, room)
            return Contents(
                {name: _read(archive, info) for name, info in chosen.items()}, tuple(members)
            )
    except DamagedArraysError:
        raise
    # zipfile and NumPy raise errors of many unrelated types.
    except Exception as error:
        raise DamagedArraysError(str(error) or type(error).__name__) from error


def add_array(
    archive: zipfile.ZipFile,
    name: str,
    shape: tuple[int, ...],
    dtype: str,
    parts: Iterable[np.ndarray],
) -> None:
    """Adds an array to an .npz file that is being written, in parts that follow one another.

    Args:
        archive: the file.
        name: of the array.
        shape: of the whole array.
        dtype: its type.
        parts: all its rows in order, some at a time.
    """
    header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    with archive.open(name + NPY, "w", force_zip64=True) as member:
        npy.write_array_header_1_0(member, header)
        for part in parts:
            member.write(np.ascontiguousarray(part, dtype).data)


def _checked_size(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, room: int) -> int:
    """Returns the bytes of an array, of which only the header is read."""
    with archive.open(info) as member:
        version = npy.read_magic(member)
        if version not in HEADERS:
            raise DamagedArraysError(f"{name!r} has a header of version {version}")
        shape, _, dtype = HEADERS[version](member)
        header = member.tell()
    if dtype.hasobject:
        raise DamagedArraysError(f"{name!r} holds Python objects, which are never loaded")
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or header + size != info.file_size:
        raise DamagedArraysError(
            f"the header of {name!r} says shape {shape}, type {dtype}, which takes {size:,} bytes, "
            f"but it has {info.file_size - header:,}"
        )
    if size > room:
        raise DamagedArraysError(
            f"{name!r} has shape {shape}, type {dtype}, which takes {in_words(size)}, and "
            f"the memory of the machine is {in_words(machine_bytes())}"
        )
    return size


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as member:
        return npy.read_array(member, allow_pickle=False)  # compares the CRC-32
