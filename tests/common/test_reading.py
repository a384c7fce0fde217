"""Only regular files are opened: what would wait for ever is named instead."""

import os
import socket
import subprocess
import sys

import pytest

from gan_jax.common import memory, reading
from gan_jax.common.errors import RequestError
from gan_jax.common.files import read_json_lines


def special(path, kind):
    """Makes a file that is not a regular one."""
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))


@pytest.mark.parametrize("kind", ["FIFO", "directory", "device", "socket"])
def test_special_files_are_refused_at_once(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    path = tmp_path / "x"
    special(path.relative_to(tmp_path), kind)
    program = (
        "import sys\n"
        "from gan_jax.common.reading import open_regular\n"
        "try:\n    open_regular(sys.argv[1])\n"
        "except ValueError as error:\n    print(error)\n"
    )
    words = [sys.executable, "-c", program, str(path)]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=20, cwd=os.getcwd())
    assert ended.stdout == f"{path} is a {kind}, not a regular file\n", ended.stderr


@pytest.mark.usefixtures("in_time")
def test_a_fifo_that_takes_the_place_of_a_file_is_refused(tmp_path, monkeypatch):
    """As between the first look at a path and opening it."""
    os.mkfifo(tmp_path / "x")
    monkeypatch.setattr(reading, "check_regular", lambda path: None)
    with pytest.raises(RequestError, match="x is a FIFO, not a regular file"):
        reading.open_regular(tmp_path / "x")


def test_regular_files_and_links_to_them_are_read(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for name in ("file", "link"):
        assert reading.read_bytes(tmp_path / name) == b"content"
        assert reading.read_bytes(str(tmp_path / name)) == b"content"
    with pytest.raises(FileNotFoundError):
        reading.read_bytes(tmp_path / "missing")


def test_a_file_larger_than_memory_is_not_read(tmp_path):
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(2**42)  # takes no room on the disk
    with pytest.raises(RequestError, match=r"sparse: reading it needs at least 4 TiB, and the mem"):
        reading.read_bytes(tmp_path / "sparse")


@pytest.mark.usefixtures("in_time")
def test_json_lines_of_a_fifo_are_refused(tmp_path):
    os.mkfifo(tmp_path / "metrics.jsonl")
    with pytest.raises(RequestError, match=r"metrics\.jsonl is a FIFO"):
        read_json_lines(tmp_path / "metrics.jsonl")


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1000, "1,000 bytes"),
        (1536, "1.5 KiB"),
        (2**64, "16 EiB"),
        (2**80, "1,048,576 EiB"),
    ],
)
def test_bytes_are_given_in_a_unit_that_keeps_them_short(count, words):
    assert memory.in_words(count) == words


def test_what_fits_passes_and_what_does_not_is_named():
    memory.check_fits("x", 2**20, 2**20)
    memory.check_fits("x", 2**20)
    with pytest.raises(RequestError, match=r"^x needs at least 1 MiB, and the disk is 1 KiB$"):
        memory.check_fits("x", 2**20, 2**10, "disk")
