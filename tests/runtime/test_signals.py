import signal

import pytest

from gan_jax.runtime.signals import stop_signals


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
