"""Starting `gan-jax` in processes of its own, watching what they write, and ending them."""

import dataclasses
import functools
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 240.0  # seconds after which a process counts as hanging
TEMPORARY = "*orbax-checkpoint-tmp*"  # Orbax's folder of a save that is under way


@dataclasses.dataclass(frozen=True)
class Bench:
    """Where processes run, and on what experiment.

    Attributes:
        folder: for their runs, compilation cache and state, so that the user's own stay untouched.
        file: the experiment.
    """

    folder: Path
    file: Path

    @property
    def environment(self) -> dict[str, str]:
        """Environment of the processes."""
        return os.environ | {
            "PYTHONPATH": str(ROOT),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }

    def command(self, name: str, workdir: Path, *options: str) -> list[str]:
        """The words of `gan-jax train` or `gan-jax sweep` on the experiment."""
        return [
            *(sys.executable, "-m", "gan_jax", name, str(self.file)),
            *("--workdir", str(workdir), *options),
        ]

    def start(self, command: Sequence[str]) -> "Process":
        """Starts a command in a process group of its own."""
        said = self.folder / "stderr" / str(time.monotonic_ns())
        said.parent.mkdir(exist_ok=True)
        with said.open("wb") as file:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.DEVNULL,
                stderr=file,
                start_new_session=True,
            )
        return Process(process, said)

    def finish(self, command: Sequence[str]) -> "Ended":
        """Runs a command to its end."""
        return self.start(command).ended()


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a process has ended: its exit code (minus the signal), and what it printed to stderr."""

    code: int
    said: str

    @property
    def wrong(self) -> list[str]:
        """What is wrong with the end of any process."""
        found = "Traceback (most recent call last)" in self.said
        return [f"traceback: {self.said.strip().splitlines()[-1][:200]}"] if found else []

    def unless(self, *codes: int) -> list[str]:
        """What is wrong, where it should have ended with one of these codes."""
        last = self.said.strip().splitlines()[-1:] or [""]
        unexpected = [f"exit code {self.code}: {last[0][:200]}"] if self.code not in codes else []
        return unexpected + self.wrong


class Process:
    """A process of `gan-jax`."""

    def __init__(self, process: subprocess.Popen, said: Path):
        """Takes a process, and the file that its stderr goes to."""
        self._process = process
        self._said = said

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    @property
    def said(self) -> str:
        """What it has printed to stderr so far."""
        return self._said.read_text(errors="replace")

    def wait_for(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        """Waits until a condition holds; False if the process ends or time runs out before."""
        limit = time.monotonic() + seconds
        while not condition():
            if not self.is_running or time.monotonic() > limit:
                return False
            time.sleep(0.0005)
        return True

    def sleep(self, seconds: float) -> None:
        """Waits, at most until the process has ended."""
        self.wait_for(lambda: False, seconds)

    def limit_files(self, size: int) -> None:
        """Lets no file that it writes grow beyond so many bytes."""
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, size))

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal, if it is still running."""
        self._process.send_signal(number)

    def kill(self) -> bool:
        """Kills it and all that it has started; False if it had ended by itself."""
        running = self.is_running
        if running:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        return running

    def ended(self, seconds: float = PATIENCE) -> Ended:
        """Waits for the end; a process that does not end is killed, and has code -9."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        found = Ended(self._process.returncode, self.said)
        self._said.unlink(missing_ok=True)
        return found


def is_saving(workdir: Path) -> bool:
    """Whether a checkpoint is being written into a run, at any depth below `workdir`."""
    depths = ("", "*/", "*/*/")
    return any(any(workdir.glob(f"{depth}checkpoints/{TEMPORARY}")) for depth in depths)


def saving_in(workdir: Path) -> Callable[[], bool]:
    """`is_saving` as a condition to wait for."""
    return functools.partial(is_saving, workdir)


def free_port() -> int:
    """A port at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]
