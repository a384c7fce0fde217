import pytest

from gan_jax.common.files import read_json_lines, write_atomically


def test_content_replaces_the_old(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_and_no_litter(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "no bytes")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_damaged_lines_are_left_out(tmp_path):
    path = tmp_path / "x.jsonl"
    good = b'{"step": 1, "a": 2.5}'
    damaged = [b'{"step": 2, "a"', b"\xff\xfe", b"7", b'{"step": "3"}', b'{"step": 2.5}', b""]
    path.write_bytes(b"\n".join([*damaged, good, *damaged]))
    assert read_json_lines(path) == [{"step": 1, "a": 2.5}]
    assert read_json_lines(tmp_path / "none.jsonl") == []
