"""Settings of JAX with which nothing works are named, whichever way they fail."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.runtime import devices, jax_settings
from tests.command_line import TINY, gan_jax

SETTINGS = [(name, value) for name, of in jax_settings.FORBIDDING.items() for value in of]


@pytest.fixture
def setting():
    """Changes settings of JAX for one test."""
    before = {}

    def change(name, value):
        before[name] = jax_settings.plain(getattr(jax.config, name))
        jax.config.update(name, value)

    yield change
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.mark.parametrize(("name", "value"), SETTINGS)
def test_settings_that_forbid_training_are_refused(setting, name, value):
    setting(name, value)
    with pytest.raises(RequestError, match=f"^{name.upper()}={value}: forbids .*unset it$"):
        devices.configure()


@pytest.mark.parametrize("variable", jax_settings.DEVICES)
def test_devices_that_are_not_there(monkeypatch, variable):
    monkeypatch.setenv(variable, "cuda")
    monkeypatch.setattr(jax_settings, "_computes", lambda: False)
    monkeypatch.setattr(jax_settings, "_platforms", lambda: "cpu")
    message = f"{variable}=cuda: JAX has no such devices here; JAX sees cpu; unset it, or give one"
    assert jax_settings.explanation(AssertionError()).startswith(message)


@pytest.mark.parametrize(
    ("variable", "value", "error", "explained"),
    [
        ("JAX_ENABLE_X64", "1", ValueError("jax_enable_x64 is odd"), True),
        ("JAX_DUMP_IR_TO", "/no/where", OSError(2, "No such file", "/no/where"), True),
        ("JAX_ENABLE_X64", "1", ValueError("1 is odd"), False),
        ("JAX_ENABLE_X64", "1", RequestError("JAX_ENABLE_X64 is on: unset it"), False),
    ],
)
def test_a_variable_is_to_blame_if_an_error_names_it(
    monkeypatch, variable, value, error, explained
):
    monkeypatch.setenv(variable, value)
    message = f"{variable}={value}: {error}; unset it, or set it otherwise"
    assert jax_settings.explanation(error) == (message if explained else None)


def test_an_error_that_is_raised_again_while_it_is_handled(monkeypatch):
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    first, second = OSError("jax_enable_x64"), OSError("cleaning up")
    first.__context__, second.__context__ = second, first
    assert jax_settings.explanation(second).startswith("JAX_ENABLE_X64=1: cleaning up")
    first.args = ("disk full",)
    assert jax_settings.explanation(second) is None


def test_an_error_that_no_variable_is_named_in_keeps_its_traceback(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setattr("gan_jax.training.train.train", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        gan_jax(capsys, "train", TINY, "--workdir", tmp_path / "run")


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("JAX_PLATFORMS", "cuda", "JAX has no such devices here; JAX sees cpu; unset it"),
        ("JAX_ENABLE_X64", "perhaps", "invalid truth value 'perhaps' for environment"),
    ],
)
def test_the_variable_is_in_the_message(tmp_path, variable, value, message):
    command = [sys.executable, "-m", "gan_jax", "train", TINY, "--workdir", tmp_path / "run"]
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root), variable: value}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {variable}={value}: {message}")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_wide_types_are_named_where_networks_do_not_fit(capsys, setting, tmp_path):
    setting("jax_enable_x64", True)
    arguments = ("--workdir", tmp_path / "run", "--discriminator.batch-norm", "True")
    code, _, err = gan_jax(capsys, "train", TINY, *arguments)
    assert code == 2
    assert "from float32[" in err and "jax_enable_x64 is on (JAX_ENABLE_X64)" in err
