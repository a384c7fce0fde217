"""Where a run reports while it trains: its growing files, TensorBoard and the terminal."""

import datetime
import json
import math
import time
from pathlib import Path
from typing import Self

from rich.console import Console

from gan_jax.common.files import remove_temporary, write_atomically
from gan_jax.common.progress import SECONDS_BETWEEN_LINES, make_bar
from gan_jax.common.reading import check_regular, read_bytes
from gan_jax.evaluation.rows import Row, locked, record_rows
from gan_jax.runs import RunDirectory, read_seconds

MOST_NAMES = 5  # of files that a message lists


class RunLog:
    """Appends to the files of one run; a context manager, whose exit closes them."""

    def __init__(self, directory: RunDirectory, seed: int, first_step: int):
        """Opens the files, and drops lines of steps after `first_step`, which are written again."""
        self._seed = seed
        self._directory = directory
        self._seconds_before = read_seconds(directory) or 0.0
        _drop_later_lines(directory.metrics, first_step)
        for path in (directory.evaluation, directory.recognition):
            if path.exists() or path == directory.evaluation:
                with locked(path):  # as `gan-jax evaluate` or `recognise` may add to it
                    _drop_later_lines(path, first_step)
                    remove_temporary(path.parent, path.name)
        self._evaluation = directory.evaluation
        for path in (directory.metrics, directory.log):
            if path.exists():
                check_regular(path)
        self._metrics = directory.metrics.open("a", encoding="utf-8")
        # Names of files may have bytes that Python could not decode.
        self._messages = directory.log.open("a", encoding="utf-8", errors="surrogateescape")
        self._board = _tensorboard(directory.tensorboard, first_step)

    def message(self, text: str) -> None:
        """Writes a message to log.txt, with the time."""
        now = datetime.datetime.now().isoformat(sep=" ", timespec="seconds")
        self._messages.write(f"{now} {text}\n")
        self._messages.flush()

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Writes a line of metrics.jsonl."""
        self._metrics.write(json.dumps({"step": step, "seed": self._seed} | values) + "\n")
        self._metrics.flush()
        self._plot(step, values)

    def evaluation(self, step: int, rows: list[Row]) -> None:
        """Writes the scores of one step to evaluation.jsonl."""
        record_rows(self._evaluation, rows)
        found = {f"evaluation/{row['metric']}": row["value"] for row in rows}
        self._plot(step, {name: value for name, value in found.items() if value is not None})

    def _plot(self, step: int, values: dict[str, float]) -> None:
        # A full disk ends the thread that writes; adding to its queue would then block forever.
        if self._board and not self._board.file_writer.event_writer._worker.is_alive():
            self.message("tensorboard/ cannot be written any more")
            self._board = None
        if self._board:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def seconds(self, step: int, seconds: float) -> None:
        """Writes how long training took up to a step, with the `seconds` of this process added."""
        spent = {"step": step, "seconds": round(self._seconds_before + seconds, 1)}
        write_atomically(self._directory.seconds, json.dumps(spent).encode() + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._metrics.close()
        self._messages.close()
        if self._board:
            self._board.close()


class Display:
    """Prints messages and a progress bar; a context manager around the training loop."""

    def __init__(self, first_step: int, last_step: int, silent: bool = False):
        """Makes one bar, as all seeds are at the same step."""
        self._console = Console(stderr=True, soft_wrap=True, quiet=silent)
        self._bar = make_bar(self._console)
        self._task = self._bar.add_task(
            "compiling", total=last_step, completed=first_step, figures=""
        )
        self._last_line = time.monotonic()

    def say(self, message: str) -> None:
        """Prints a message."""
        self._console.print(message, markup=False, highlight=False)

    def progress(
        self, step: int, epoch: float, examples_per_second: float, values: dict[str, float]
    ) -> None:
        """Shows how far training is: in the bar on a terminal, else in a line now and then."""
        figures = (
            f"epoch {epoch:.1f} · {examples_per_second:.0f} examples/s · "
            f"loss D {values['discriminator_loss']:.3f} G {values['generator_loss']:.3f} · "
            f"D right on real {values['accuracy_real']:.0%} fake {values['accuracy_fake']:.0%}"
        )
        self._bar.update(self._task, completed=step, figures=figures, description="training")
        waited = time.monotonic() - self._last_line
        if self._bar.disable and waited > SECONDS_BETWEEN_LINES:
            total = self._bar.tasks[0].total
            self._console.print(f"step {step}/{total:.0f} · {figures}", highlight=False)
            self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _tensorboard(folder: Path, first_step: int):
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=first_step + 1)


def lost_lines(path: Path, step: int, every: int) -> list[str]:
    """Returns a message about lines that metrics.jsonl or evaluation.jsonl lacks, if it does.

    Args:
        path: of the file; one that is not there has lost all lines.
        step: of the newest checkpoint.
        every: steps from one line to the next; a line may be missing where training had to leave
            it out.
    """
    wanted = range(every, step + 1, every)
    lost = len(set(wanted) - set(_steps(path)))
    of_all = f"{lost} of the {len(wanted)} lines of every {every} steps"
    return [f"{path} lacks {of_all} up to step {step}"] if lost else []


def damaged_lines(path: Path) -> list[str]:
    """Returns a message about damaged lines that `RunLog` will drop, if there are any.

    A part of the last line does not count: a crash may leave it, and it comes again.
    """
    damaged = sum(map(math.isinf, _steps(path)[:-1]))
    return [f"{path} had damaged lines ({damaged}), which are removed"] if damaged else []


def lost_pictures(directory: RunDirectory, step: int, every: int) -> list[str]:
    """Returns a message about pictures that are missing up to a step, if there are any.

    Args:
        directory: of the run.
        step: of the newest checkpoint.
        every: steps from one picture to the next.
    """
    there = directory.step_pictures()
    lost = [directory.step_picture(at).name for at in range(0, step + 1, every) if at not in there]
    which = ", ".join(lost[:MOST_NAMES]) + (", ..." if len(lost) > MOST_NAMES else "")
    return [f"{directory.samples} lacks {which}"] if lost else []


def _drop_later_lines(path: Path, step: int) -> None:
    """Drops lines of later steps, and damaged lines."""
    if not path.exists():
        return
    kept = [line for line in _text(path).splitlines(keepends=True) if _step_of(line) <= step]
    write_atomically(path, "".join(kept).encode())


def _steps(path: Path) -> list[float]:
    return [_step_of(line) for line in _text(path).splitlines(keepends=True)]


def _text(path: Path) -> str:
    return read_bytes(path).decode(errors="replace") if path.exists() else ""


def _step_of(line: str) -> float:
    try:
        step = json.loads(line)["step"] if line.endswith("\n") else None
    except (ValueError, KeyError, TypeError):
        step = None
    return step if type(step) is int else math.inf
