"""`gan-jax` in this process, for trials that are too many to start a process for each."""

import contextlib
import dataclasses
import io
import signal
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from gan_jax.cli import main

SECONDS = 60  # after which a command counts as hanging


class HangingError(BaseException):
    """A command took too long; not an Exception, so that no command can catch it."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a command did: its exit code, what it printed, and what no command may do."""

    code: int | None
    out: str
    said: str
    wrong: list[str]


def gan_jax(*words: object, seconds: int = SECONDS) -> Answer:
    """Runs a command; an exception other than its exit, or a traceback in its output, is wrong."""
    out, said, wrong, code = io.StringIO(), io.StringIO(), [], None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said), _limit(seconds):
        try:
            main.main([str(word) for word in words])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except HangingError:
            wrong.append(f"hangs: not done after {seconds} s")
        except Exception as error:  # whatever it is, a user would see a traceback
            place = traceback.extract_tb(error.__traceback__)[-1]
            first = str(error).partition("\n")[0][:200]
            where = f"{Path(place.filename).name}:{place.lineno}"
            wrong.append(f"traceback: {type(error).__name__}: {first} ({where})")
    if "Traceback (most recent call last)" in said.getvalue():
        wrong.append("prints a traceback")
    return Answer(code, out.getvalue(), said.getvalue(), wrong)


@contextlib.contextmanager
def _limit(seconds: int) -> Iterator[None]:
    def hang(*_: object) -> None:
        raise HangingError

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def spread(items: Sequence, count: int) -> list:
    """At most `count` items, evenly spread over all of them."""
    count = min(count, len(items))
    return [items[position * len(items) // count] for position in range(count)]
