"""Nonsense is refused, in time and without a traceback."""

import pytest

from benchmarks.torture.fuzz import Fuzz, fuzz


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param(Fuzz(commands=10, files=8), id="few"),
        pytest.param(Fuzz(commands=60, files=40), id="many", marks=pytest.mark.slow),
    ],
)
def test_nonsense_is_refused(bench, counts):
    lines, files, _ = fuzz(bench, counts)
    assert lines.tried == counts.commands
    assert files.tried == counts.files
    assert not lines.failures
    assert not files.failures
