import os
import subprocess
import sys
import time

import numpy as np
import pytest

from gan_jax.data.sources.cache import cached

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)


class Decoder:
    """Counts how often it decodes."""

    def __init__(self, pixels=PIXELS):
        self.pixels = pixels
        self.runs = 0

    def __call__(self, notes):
        self.runs += 1
        for label, image in enumerate(self.pixels):
            yield image, label
        notes.append("one is missing")


def load(folder, decoder, state=1, names=("a", "b", "c", "d", "e")):
    return cached(folder, "slot", state, (4, 4, 3), names, decoder)


def check(examples, notes):
    assert examples.sample.dtype == np.uint8
    np.testing.assert_array_equal(examples.sample, PIXELS)
    assert examples.label.dtype == np.int32
    assert examples.label.tolist() == [0, 1, 2, 3, 4]
    assert notes == ["one is missing"]


def test_decoded_once_and_mapped_from_the_file(tmp_path):
    decoder = Decoder()
    check(*load(tmp_path / "new" / "folder", decoder))
    examples, notes = load(tmp_path / "new" / "folder", decoder)
    check(examples, notes)
    assert decoder.runs == 1
    base = examples.sample
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)


def test_without_class_names_there_are_no_labels(tmp_path):
    assert load(tmp_path, Decoder(), names=())[0].label is None
    assert load(tmp_path, Decoder(), names=())[0].label is None


def test_another_state_replaces_the_file(tmp_path):
    load(tmp_path, Decoder())
    changed = Decoder(PIXELS[::-1])
    np.testing.assert_array_equal(load(tmp_path, changed, state=2)[0].sample, PIXELS[::-1])
    assert changed.runs == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_other_shapes_and_slots_do_not_collide(tmp_path):
    load(tmp_path, Decoder())
    small, _ = cached(tmp_path, "slot", 1, (2, 2, 3), (), Decoder(PIXELS[:, :2, :2]))
    other, _ = cached(tmp_path, "other", 1, (4, 4, 3), (), Decoder(PIXELS[:2]))
    assert (small.sample.shape, other.sample.shape) == ((5, 2, 2, 3), (2, 4, 4, 3))


def every_damage(content):
    yield from (content[:length] for length in range(len(content)))
    for position in range(len(content)):
        yield content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :]
    yield content + b"x"
    yield bytes(len(content))


def test_any_damage_is_found_and_repaired(tmp_path):
    load(tmp_path, Decoder())
    (file,) = tmp_path.iterdir()
    intact = file.read_bytes()
    for damaged in every_damage(intact):
        file.write_bytes(damaged)
        decoder = Decoder()
        check(*load(tmp_path, decoder))
        assert decoder.runs == 1
        assert file.read_bytes() == intact


def test_a_place_that_cannot_be_written_is_no_error(tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    check(*load(blocked / "cache", Decoder()))
    assert "not cached" in caplog.text


def test_a_full_disk_is_no_error(tmp_path):
    code = (
        "import resource, sys, pathlib\n"
        "from tests.data.sources.test_cache import Decoder, check, load\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "check(*load(pathlib.Path(sys.argv[1]), Decoder()))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_decoder_leaves_nothing_behind(tmp_path):
    def broken(notes):
        yield PIXELS[0], 0
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        load(tmp_path, broken)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_after_a_day(tmp_path):
    load(tmp_path, Decoder())
    (file,) = tmp_path.iterdir()
    old, young = (file.with_name(f"{file.name}.{name}.tmp") for name in ("old", "young"))
    old.touch()
    young.touch()
    os.utime(old, (time.time() - 100_000,) * 2)
    load(tmp_path, Decoder(), state=2)
    assert young.exists()
    assert not old.exists()


def test_many_processes_at_once(tmp_path):
    code = (
        "import sys, pathlib\n"
        "from tests.data.sources.test_cache import Decoder, check, load\n"
        "for state in range(40):\n"
        "    check(*load(pathlib.Path(sys.argv[1]), Decoder(), state=state))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    assert not list(tmp_path.glob("*.tmp"))
