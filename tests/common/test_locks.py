"""Locks, also where the file system has none."""

import errno
import fcntl

import filelock
import pytest

from gan_jax.common.locks import MARKER, WITHOUT_LOCKS, locked


@pytest.fixture(params=[None, *sorted(set(WITHOUT_LOCKS) - {errno.ENOSYS})], ids=str)
def file_system(request, monkeypatch):
    """One with locks, or one that says it has none."""
    if request.param:
        monkeypatch.setattr(fcntl, "flock", failing(request.param))
    return request.param


def failing(number):
    def flock(*_):
        raise OSError(number, "no locks")

    return flock


def test_one_at_a_time(tmp_path, file_system, caplog):
    path = tmp_path / ".lock"
    with locked(path):
        with pytest.raises(filelock.Timeout), locked(path, timeout=0):
            pass
        assert path.with_name(f".lock{MARKER}").exists() is bool(file_system)
    with locked(path, timeout=0):
        pass
    assert not path.with_name(f".lock{MARKER}").exists()
    assert ("this file system has no locks" in caplog.text) is bool(file_system)


def test_what_fails_within_the_block_is_passed_on(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / ".lock"):
        _ = 1 / 0
    with locked(tmp_path / ".lock", timeout=0):
        pass


def test_other_failures_are_passed_on(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), locked(tmp_path / "file" / ".lock"):
        pass
    monkeypatch.setattr(fcntl, "flock", failing(errno.EIO))
    with pytest.raises(OSError, match="no locks"), locked(tmp_path / ".lock"):
        pass
