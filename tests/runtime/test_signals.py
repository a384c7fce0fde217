import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gan_jax.runtime.signals import stop_signals

ROOT = Path(__file__).parents[2]


@pytest.fixture
def default_interrupt():
    """Ctrl-C raises KeyboardInterrupt, also where this process was started to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_two_signals_at_once_are_one_and_a_later_one_interrupts(monkeypatch, default_interrupt):
    with stop_signals() as stopping:
        assert not stopping()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert stopping()
        monkeypatch.setattr("gan_jax.runtime.signals.ECHO_SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR2])
def test_a_signal_is_heeded_where_nothing_can_be_written(monkeypatch, number):
    def broken(descriptor, text):
        raise BrokenPipeError

    monkeypatch.setattr("gan_jax.runtime.signals.os.write", broken)
    with stop_signals() as stopping:
        signal.raise_signal(number)
        assert stopping()


@pytest.mark.parametrize(
    ("command", "number", "code"),
    [
        ("train", signal.SIGTERM, 75),
        ("sweep", signal.SIGTERM, 75),
        ("sample", signal.SIGTERM, -signal.SIGTERM),  # it has nothing to resume
        ("train", signal.SIGINT, 130),
        ("sample", signal.SIGINT, 130),
    ],
)
def test_a_signal_during_imports_ends_the_command_with_its_code(tmp_path, command, number, code):
    # As a library that catches everything that is raised while it is imported.
    package = tmp_path / "tyro"  # which every command imports first
    package.mkdir()
    (package / "__init__.py").write_text(
        "import signal\n"
        f"try: signal.raise_signal({int(number)})\n"
        "except BaseException as error: raise ImportError from error\n"
    )
    process = subprocess.run(
        [sys.executable, "-m", "gan_jax", command, "--help"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert process.returncode == code, process.stderr
    assert process.stderr == ""
