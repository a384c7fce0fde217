"""A long run holds no more at its end than early on."""

import pytest

from benchmarks.torture.endurance import Endurance, endurance


@pytest.mark.slow
def test_memory_files_and_threads_do_not_grow(bench):
    # 1.2 KiB a step; it is 0.3 to 0.7, of which half is a leak of TensorStore.
    (tally,) = endurance(bench, Endurance(steps=9_000, warm_up=3_000, megabytes=7.0))
    assert not tally.failures
