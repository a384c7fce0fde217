"""Hostile files: records with anything in any place, arrays that lie, and images that are none."""

import copy
import io
import json
import os
import random
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

IMAGES_EXPERIMENT = Path(__file__).with_name("images_experiment.py")

# Options of commands that open a run, or take values that could be huge.
OPTIONS = (
    *(("sample", option) for option in ("--count", "--key", "--step", "--truncation", "--out")),
    *(("evaluate", option) for option in ("--samples", "--key", "--step", "--features")),
    ("health", "--seed"),
    ("compare", "--out"),
    ("score", "--step"),
)
WORDS = (
    *("", "-", "--", "nan", "inf", "-1", "1e400", "0x10", "None", "True", "[]", "{}", "()"),
    *("\0", "\n", "é" * 300, "../..", "/", "/dev/null", ".", "9" * 400, "1" * 5000),
    *("best", "latest", "0:8", "8:0", "0:100000000", "__import__('os').abort()", "%s%n", "--help"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**63, 10**400, 1e308, float("nan"), float("inf"), "", "x" * 10_000),
    *([], {}, [[]], {"class": 1}, {"function": "os:abort"}, {"class": "a:b", "x": []}),
    *({"dict": 3}, "\ud800", "../../..", ["a"] * 1000),
)


def trials(chance: random.Random, count: int) -> Iterator[tuple[str, list[str]]]:
    """Writes `count` hostile files beside ./run and ./images, and yields commands to open them."""
    kinds = (_record, _lines, _array, _image)
    for number in range(count):
        yield kinds[number % len(kinds)](chance, number)


def _record(chance: random.Random, number: int) -> tuple[str, list[str]]:
    """A config.json, valid or not, with anything in a place that is drawn."""
    path = _copy("run")
    record = json.loads((path / "config.json").read_text())
    *way, last = chance.choice(list(_places(record)))
    inner = record
    for step in way:
        inner = inner[step]
    value = chance.choice(VALUES)
    inner[last] = copy.deepcopy(value)
    (path / "config.json").write_text(json.dumps(record))
    command = chance.choice((["sample", "--out", "s.png"], ["health"], ["compare"]))
    where = ".".join(map(str, (*way, last)))
    return f"config.json: {where} = {str(value)[:40]!r}: {command[0]}", _words(command, path)


def _lines(chance: random.Random, number: int) -> tuple[str, list[str]]:
    """A line of metrics.jsonl or evaluation.jsonl with anything in one of its fields."""
    path = _copy("run")
    file = path / chance.choice(("metrics.jsonl", "evaluation.jsonl"))
    rows = [json.loads(line) for line in file.read_text().splitlines()] or [{"step": 1}]
    row = chance.choice(rows)
    name, value = chance.choice(list(row)), chance.choice(VALUES)
    row[name] = value
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = chance.choice((["health"], ["compare"]))
    return f"{file.name}: {name} = {str(value)[:40]!r}: {command[0]}", _words(command, path)


def _array(chance: random.Random, number: int) -> tuple[str, list[str]]:
    """An .npz where images or features belong."""
    path = Path(f"array_{number}.npz")
    name, write = chance.choice(list(ARRAYS.items()))
    write(path)
    words = ["evaluate", "--data", str(path), str(path)]
    if chance.random() < 0.5:
        words = ["evaluate", "images", "--samples", "30", "--features", str(path)]
    return f"npz, {name}: {' '.join(words)}", words


def _image(chance: random.Random, number: int) -> tuple[str, list[str]]:
    """A file with the name of an image."""
    path = Path(f"image_{number}.{chance.choice(('png', 'jpg'))}")
    name, write = chance.choice(list(IMAGES.items()))
    write(path)
    return f"image, {name}: score images {path}", ["score", "images", str(path)]


def _npz(header: str, content: bytes = b"") -> Callable[[Path], None]:
    """Writes an .npz by hand, whose array says of itself what `header` says."""

    def write(path: Path) -> None:
        line = header.encode() + b"\n"
        magic = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(line))
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("images.npy", magic + line + content)

    return write


def _described(kind: str, shape: str) -> str:
    return f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"


ARRAYS: dict[str, Callable[[Path], None]] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not an archive"),
    "no arrays": lambda path: np.savez(path),
    "objects": lambda path: np.savez(path, images=np.array([{}, []], dtype=object)),
    "text arrays": lambda path: np.savez(path, images=np.array(["a", "b"])),
    "no images": lambda path: np.savez(path, images=np.zeros((0, 8, 8, 1), np.uint8)),
    "not finite": lambda path: np.savez(path, images=np.full((40, 8, 8, 1), np.nan)),
    "nine axes": lambda path: np.savez(path, images=np.zeros((1,) * 9)),
    "scalar": lambda path: np.savez(path, images=np.float64(3)),
    "a petabyte": _npz(_described("<f8", "(1000000, 1000000, 100)")),
    "a negative shape": _npz(_described("<f8", "(-1, 8, 8, 1)")),
    "a header that is code": _npz("__import__('os').abort()"),
    "a short body": _npz(_described("|u1", "(40, 8, 8, 1)"), b"\0" * 8),
}


def _png(width: int, height: int) -> bytes:
    """A small PNG that says that it is large."""
    out = io.BytesIO()
    for kind, content in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" * 1000)),
        (b"IEND", b""),
    ):
        out.write(struct.pack(">I", len(content)) + kind + content)
        out.write(struct.pack(">I", zlib.crc32(kind + content)))
    return b"\x89PNG\r\n\x1a\n" + out.getvalue()


def _truncated(path: Path) -> None:
    Image.fromarray(np.arange(4096, dtype=np.uint8).reshape(64, 64)).save(path)
    os.truncate(path, path.stat().st_size // 2)


IMAGES: dict[str, Callable[[Path], None]] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not an image"),
    "a bomb": lambda path: path.write_bytes(_png(100_000, 100_000)),
    "no pixels": lambda path: path.write_bytes(_png(0, 0)),
    "fewer pixels than it says": lambda path: path.write_bytes(_png(5000, 5000)),
    "truncated": _truncated,
    "a folder": Path.mkdir,
    "a FIFO": os.mkfifo,
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "an icon": lambda path: Image.new("L", (16, 16)).save(path, "ICO"),
    "16-bit integers": lambda path: Image.new("I;16", (8, 8), 60_000).save(path, "PNG"),
}


def _places(value: Any, way: tuple = ()) -> Iterator[tuple]:
    """Ways to all values in a record."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in pairs:
        yield (*way, name)
        if isinstance(inner, dict | list):
            yield from _places(inner, (*way, name))


def _words(command: list[str], path: Path) -> list[str]:
    return [command[0], str(path), *command[1:]]


def _copy(run: str) -> Path:
    path = Path("hostile")
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(run, path)
    return path
