"""Damaged and hostile .npz files end in one error, and allocate nothing."""

import io
import struct
import zipfile

import numpy as np
import pytest

from gan_jax.common import arrays_file
from gan_jax.common.arrays_file import DamagedArraysError, read_arrays

IMAGES = np.arange(4000, dtype=np.uint8).reshape(10, 20, 20)


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def npy(shape, descr="|u1", data=b""):
    """An array file whose header says what is given, whatever follows."""
    text = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text + b"\n" + data


def zipped(name, content, compression=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def flipped(content, position):
    changed = bytearray(content)
    changed[position] ^= 0xFF
    return bytes(changed)


def with_field(content, start, offset, value):
    """Changes a 16-bit field of the local and the central header of the first member."""
    changed = bytearray(content)
    for signature, shift in ((b"PK\x03\x04", 0), (b"PK\x01\x02", start)):
        where = changed.index(signature) + offset + shift
        changed[where : where + 2] = struct.pack("<H", value)
    return bytes(changed)


def damaged():
    whole, stored = npz(images=IMAGES), io.BytesIO()
    np.savez(stored, images=IMAGES)
    stored = stored.getvalue()
    no_dictionary = npy((2,)).replace(b"descr", b"d'scr")
    return {
        "empty": (b"", "not a zip file"),
        "text": (b"images", "not a zip file"),
        "cut short": (whole[:-30], "not a zip file"),
        "a bit is wrong": (flipped(stored, 2000), "Bad CRC-32"),
        "compressed bits are wrong": (flipped(whole, 150), "Bad CRC-32"),
        "encrypted": (with_field(whole, 2, 6, 1), "encrypted"),
        "unknown compression": (with_field(whole, 2, 8, 77), "compression"),
        "Python objects": (npz(images=np.array([None])), "'images' holds Python objects"),
        "no array": (zipped("images.npy", b"text"), "EOF|magic string"),
        "no header": (zipped("images.npy", npy((2,))[:20]), "EOF"),
        "not a dictionary": (
            zipped("images.npy", no_dictionary),
            "header|liter",
        ),
        "unknown type": (zipped("images.npy", npy((2,), "|x9", b"12")), "descr"),
        "too few bytes": (zipped("images.npy", npy((3,), data=b"12")), r"\(3,\), .* it has 2"),
        "too many bytes": (zipped("images.npy", npy((3,), data=b"1234")), "it has 4"),
        "huge shape": (zipped("images.npy", npy((2**40, 2**40))), "it has 0"),
        "negative shape": (zipped("images.npy", npy((-1, -4), data=b"1234")), r"shape \(-1, -4\)"),
        "version 9": (zipped("images.npy", b"\x93NUMPY\x09\x00"), r"header of version \(9, 0\)"),
    }


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("what", damaged())
def test_damaged_files_are_refused(what):
    content, message = damaged()[what]
    with pytest.raises(DamagedArraysError, match=message):
        read_arrays(io.BytesIO(content))


def test_what_does_not_fit_into_memory_is_not_read(monkeypatch):
    """The sizes of all arrays count, as a small file may hold a lot."""
    content = npz(a=np.zeros(600, np.uint8), b=np.zeros(600, np.uint8))
    assert len(read_arrays(io.BytesIO(content)).arrays) == 2
    monkeypatch.setattr(arrays_file, "machine_bytes", lambda: 1000)
    with pytest.raises(DamagedArraysError, match=r"'b' has shape \(600,\).* the machine is 1,000"):
        read_arrays(io.BytesIO(content))


def test_arrays_come_back_and_only_those_that_are_wanted_are_looked_at():
    arrays = {"images": IMAGES, "labels": np.arange(10), "text": np.array("x"), "f": IMAGES.T}
    found = read_arrays(io.BytesIO(npz(**arrays)))
    assert found.names == tuple(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)
    mixed = io.BytesIO(npz(images=IMAGES, other=np.array([None])))
    found = read_arrays(mixed, "images".__eq__)
    assert list(found.arrays) == ["images"] and found.names == ("images", "other")
