"""A long run holds no more at its end than early on."""

import pytest

from benchmarks.torture.endurance import Endurance, endurance


@pytest.mark.slow
def test_memory_files_and_threads_do_not_grow(bench):
    (tally,) = endurance(bench, Endurance(steps=6_000, warm_up=3_000))
    assert not tally.failures
