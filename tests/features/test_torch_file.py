"""Checkpoints written by PyTorch in both formats (`benchmarks/torch_file_fixtures.py`)."""

import io
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_jax.common.errors import RequestError
from gan_jax.features import torch_file

FOLDER = Path(__file__).parent / "torch_files"
FORMATS = ["zip", "legacy"]
CONTENTS = {name: (FOLDER / f"{name}.pth").read_bytes() for name in FORMATS}


def expected() -> dict[str, np.ndarray]:
    whole = np.arange(24, dtype=np.float32)
    return {
        "0.weight": np.arange(54, dtype=np.float32).reshape(3, 2, 3, 3) / 8,
        "1.weight": np.ones(3, np.float32),
        "1.bias": np.zeros(3, np.float32),
        "1.running_mean": np.zeros(3, np.float32),
        "1.running_var": np.ones(3, np.float32),
        "1.num_batches_tracked": np.array(0),
        "whole": whole,
        "part": whole[4:10],
        "transposed": whole.reshape(4, 6).T,
        "every second": whole.reshape(4, 6)[1:, 1::2],
        "expanded": np.float32([[3, 3, 3], [4, 4, 4]]),
        "half": np.arange(7, dtype=np.float16) / np.float16(4),
        "double": np.arange(5) / 3,
        "long": np.array([[-(2**62), 2**62]]),
        "scalar": np.float32(2.5),
        "empty": np.zeros((0, 3), np.float32),
    }


def assert_same(arrays: dict[str, np.ndarray]) -> None:
    assert list(arrays) == list(expected())
    for name, value in expected().items():
        assert arrays[name].dtype == value.dtype, name
        np.testing.assert_array_equal(arrays[name], value, name, strict=True)


@pytest.mark.parametrize("name", FORMATS)
def test_reads_every_kind_of_tensor(name):
    arrays = torch_file.decode(CONTENTS[name], name)
    assert_same(arrays)
    assert np.shares_memory(arrays["whole"], arrays["transposed"])
    assert not np.shares_memory(arrays["whole"], arrays["scalar"])
    with pytest.raises(ValueError, match="read-only"):
        arrays["whole"][0] = 1


@pytest.mark.parametrize(
    "name, message",
    [
        ("nested", "no tensor as 'epoch' but int"),
        ("bfloat16", r"needs torch\.BFloat16Storage.*float32"),
        ("parameter", r"needs torch\._utils\._rebuild_parameter"),
        ("list", "no state dict but list"),
    ],
)
def test_names_the_file_and_what_is_wrong(name, message):
    content = (FOLDER / f"{name}.pth").read_bytes()
    assert re.search(message, refusal(content))


class Harmful:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def zipped(pickled: bytes, **options) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        archive.writestr("archive/data.pkl", pickled)
    return buffer.getvalue()


def refusal(content: bytes) -> str:
    with pytest.raises(RequestError, match=r"some\.pth") as raised:
        torch_file.decode(content, "some.pth")
    return str(raised.value)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_executes_nothing(tmp_path, protocol):
    harmful = pickle.dumps({"weight": Harmful(tmp_path / "harm")}, protocol)
    for content in (harmful, zipped(harmful)):
        refusal(content)
    assert not (tmp_path / "harm").exists()


def test_refuses_what_torch_does_not_write():
    bomb = zipped(pickle.dumps("a" * 2**20), compression=zipfile.ZIP_DEFLATED)
    assert "compressed" in refusal(bomb)
    # An unpickler would clear 2^31 places of its memo, 16 GiB, for this index.
    assert "counts 2147483648" in refusal(zipped(b"\x80\x02}r\x00\x00\x00\x80."))
    assert "damaged" in refusal(b"")
    assert "damaged" in refusal(b"\x80\x02}.")
    for name in FORMATS:
        little = CONTENTS[name]
        assert "big-endian" in refusal(as_big_endian(name, little))


def as_big_endian(name: str, content: bytes) -> bytes:
    """The file with its mark of the byte order changed."""
    if name == "legacy":
        mark = content.index(b"little_endian")
        true = content.index(b"\x88", mark)
        return content[:true] + b"\x89" + content[true + 1 :]
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for member in old.namelist():
            new.writestr(member, b"big" if member.endswith("byteorder") else old.read(member))
    return buffer.getvalue()


@pytest.mark.parametrize("name", FORMATS)
def test_every_cut_is_found(name):
    content = CONTENTS[name]
    for end in range(0, len(content), 13):
        assert refusal(content[:end])


@settings(max_examples=1000, deadline=None)
@given(data=st.data(), name=st.sampled_from(FORMATS))
def test_flipped_bytes_do_no_harm(data, name):
    """A zip archive has checksums; the older format has none, so there the values may differ."""
    content = bytearray(CONTENTS[name])
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        arrays = torch_file.decode(bytes(content), "some.pth")
    except RequestError as error:
        assert "some.pth" in str(error)
    else:
        if name == "zip":
            assert_same(arrays)
        for array in arrays.values():  # both ends lie in the content
            assert len([array.item(end) for end in (0, -1) if array.size]) in (0, 2)
