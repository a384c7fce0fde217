import os

import pytest

from gan_jax.common import files
from gan_jax.common.errors import RequestError
from gan_jax.common.files import followed, read_json_lines, remove_temporary, write_atomically


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


def test_a_link_is_followed_where_the_user_names_it_and_replaced_elsewhere(tmp_path):
    target, link, chain = (tmp_path / name for name in ("new.png", "link.png", "chain.png"))
    link.symlink_to(target.name)
    chain.symlink_to(link)
    assert followed(chain) == target  # which need not be there
    write_atomically(followed(chain), b"content")
    assert target.read_bytes() == b"content"
    assert link.is_symlink()
    write_atomically(link, b"other")
    assert target.read_bytes() == b"content"
    assert not link.is_symlink()


@pytest.mark.parametrize("kind", ["a FIFO", "a device"])
def test_no_file_is_put_in_the_place_of_what_is_not_one(tmp_path, kind):
    os.mkfifo(tmp_path / "a FIFO")
    (tmp_path / "a device").symlink_to("/dev/null")
    with pytest.raises(RequestError, match=f"{kind}, not a regular file"):
        followed(tmp_path / kind)


def test_damaged_lines_are_left_out(tmp_path):
    path = tmp_path / "x.jsonl"
    good = b'{"step": 1, "a": 2.5}'
    damaged = [b'{"step": 2, "a"', b"\xff\xfe", b"7", b'{"step": "3"}', b'{"step": 2.5}', b""]
    path.write_bytes(b"\n".join([*damaged, good, *damaged]))
    assert read_json_lines(path) == [{"step": 1, "a": 2.5}]
    assert read_json_lines(tmp_path / "none.jsonl") == []


@pytest.fixture
def killed(tmp_path, monkeypatch):
    """A folder in which a process was killed while it wrote two files and a folder."""
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", lambda *_: None)
        patch.setattr(files.Path, "unlink", lambda *_, **__: None)
        patch.setattr(files.shutil, "rmtree", lambda *_, **__: None)
        for name in ("config.json", "step_1.png"):
            write_atomically(tmp_path / name, b"a part")
        files.write_folder_atomically(tmp_path / "images", [("a.png", b"a part")])
    return tmp_path


def test_what_a_killed_process_has_left_is_removed(killed):
    assert len(list(killed.iterdir())) == 3
    kept = [killed / name for name in (".DS_Store", ".config.json.lock", "step_1.png")]
    for path in kept:
        path.touch()
    remove_temporary(killed)
    assert sorted(killed.iterdir()) == sorted(kept)


def test_what_was_left_of_one_file_is_removed(killed):
    remove_temporary(killed, "config.json")
    left = sorted(path.name.rpartition(".")[0] for path in killed.iterdir())
    assert left == [".images", ".step_1.png"]
    remove_temporary(killed / "nowhere")
