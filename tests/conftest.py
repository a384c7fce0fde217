"""Fixtures of all tests, and the check of shapes at every call."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

import tests.typecheck

# Modules whose array shapes are checked at every call in the tests.
SHAPED = ["data.grids", "gan", "losses", "networks", "penalties", "recognition", "sampling"]
MOST_MAPPINGS = 35_000
UNOPTIMISED = "--xla_backend_optimization_level=0"
checker = f"{tests.typecheck.__name__}.checked"
install_import_hook([f"gan_jax.{module}" for module in SHAPED], checker)


def pytest_configure(config: pytest.Config) -> None:
    """Leaves out LLVM's optimisations in fast tests, where compiling takes most of the time."""
    given = os.environ.get("XLA_FLAGS", "")
    if config.option.markexpr == "not slow" and "backend_optimization_level" not in given:
        os.environ["XLA_FLAGS"] = f"{given} {UNOPTIMISED}".strip()


@pytest.fixture(scope="session", autouse=True)
def one_device() -> None:
    """Starts JAX, so that no command makes several devices of the cores of this process."""
    import jax

    jax.devices()


@pytest.fixture(scope="module", autouse=True)
def few_mappings() -> Iterator[None]:
    """Lets compiled programs go before they take all mappings that Linux gives a process, 65,530.

    Compilation then ends in a segmentation fault.
    """
    import jax

    yield
    mappings = Path("/proc/self/maps")
    if mappings.exists() and mappings.read_bytes().count(b"\n") > MOST_MAPPINGS:
        jax.clear_caches()


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory) -> None:
    """Keeps what tests trust apart from what the user of this machine trusts."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture
def in_time(tmp_path) -> Iterator[None]:
    """Fails a test that waits for a writer of a FIFO in `tmp_path`, after a minute."""

    def stop(*_):
        for path in filter(Path.is_fifo, tmp_path.rglob("*")):
            with contextlib.suppress(OSError):  # where nobody reads it
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))  # as other threads may wait
        pytest.fail("waits for a writer of a FIFO")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with the original files of MNIST, CIFAR-10 and others; else the test is skipped."""
    beside_the_checkout = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("GAN_JAX_TEST_DATA", beside_the_checkout))
    if not folder.is_dir():
        pytest.skip(f"no folder of real data sets at {folder} (set GAN_JAX_TEST_DATA)")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished run of the tiny experiment with a moving average."""
    from gan_jax.cli import main  # only now, as the hook above must come first
    from tests.command_line import TINY

    workdir = tmp_path_factory.mktemp("cli") / "run"
    with pytest.raises(SystemExit) as exit_:
        main.main(["train", TINY, "--workdir", str(workdir), "--ema-decay", "0.5"])
    assert exit_.value.code == 0
    return workdir
