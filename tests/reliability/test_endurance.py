"""A long run holds no more at its end than early on."""

import pytest

from benchmarks.torture.endurance import Endurance, endurance


@pytest.mark.slow
def test_memory_files_and_threads_do_not_grow(bench):
    # 0.5 KiB a step; before Orbax was kept from asking TensorStore for figures it was 0.87.
    (tally,) = endurance(bench, Endurance(steps=9_000, warm_up=3_000, megabytes=3.0))
    assert not tally.failures
