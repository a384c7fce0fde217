"""What is printed in other code pages, to nobody, and by libraries."""

import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from gan_jax.runtime.terminal import warnings_like_errors

ROOT = Path(__file__).parents[2]


def start(script, *, encoding="utf-8", **options):
    """Starts Python with this package; the script finds `keep_printing`."""
    begin = "import sys; from gan_jax.runtime.terminal import keep_printing\n"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([sys.executable, "-c", begin + script], env=environment, **pipes)


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("utf-8", "┃ ┏━┓ ü 日 · …".encode() + b" \xff\n"),
        ("cp1252", b"| +-+ \xfc \\u65e5 \xb7 \x85 \xff\n"),
        ("latin-1", b"| +-+ \xfc \\u65e5 \xb7 ... \xff\n"),
        ("ascii", b"| +-+ \\xfc \\u65e5 - ... \xff\n"),
    ],
)
def test_what_a_code_page_does_not_have_is_printed_legibly(encoding, printed):
    # The last character is how Python reads a byte of a file's name that is not text.
    script = "keep_printing(); print('┃ ┏━┓ ü 日 · … \\udcff')\nprint('ü日', file=sys.stderr)"
    out, err = start(script, encoding=encoding).communicate()
    assert out == printed
    assert b"Error" not in err


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_what_nobody_reads_is_dropped(stream):
    script = (
        f"keep_printing()\nfor _ in range(9): print('x' * 99_999, file=sys.{stream}, flush=True)\n"
        "sys.stdin.readline()\n"
        f"for _ in range(9): print('x' * 99_999, file=sys.{stream}, flush=True)\n"
        "sys.exit(7)"
    )
    process = start(script, stdin=subprocess.PIPE)
    getattr(process, stream).close()
    process.communicate(b"\n")
    assert process.returncode == 7


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_once():
    script = (
        "keep_printing()\ntry: print('x', flush=True)\n"
        "except OSError as error: print(error.errno, file=sys.stderr)"
    )
    with open("/dev/full", "wb") as full, start(script, stdout=full) as process:
        assert process.stderr.read() == b"28\n"
    assert process.returncode == 0


def test_a_process_without_stdout_goes_on():
    script = "import os\nos.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])"
    inner = "import sys; from gan_jax.runtime.terminal import keep_printing\nkeep_printing()\n"
    inner += "print('ü'); sys.exit(0 if sys.stdout.isatty() is False else 1)"
    begin = "import os, sys; os.close(1)\n" + script
    command = [sys.executable, "-c", begin, inner]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_warnings_of_libraries_look_like_errors_and_come_once(capsys):
    with warnings.catch_warnings(), warnings_like_errors():
        warnings.simplefilter("always")
        for _ in range(2):
            warnings.warn("own", stacklevel=1)
            warnings.warn_explicit("odd", UserWarning, "/lib/site-packages/PIL/Image.py", 1)
            logging.getLogger("jax._src").warning("slow %s", "compile")
            logging.getLogger("gan_jax.data").warning("own file")
    assert capsys.readouterr().err.splitlines() == [
        "warning: own",
        "warning: PIL: odd",
        "warning: jax: slow compile",
        "warning: own file",
    ]
