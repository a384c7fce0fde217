"""A long run holds no more at its end than early on; integrity costs little."""

import pytest

from benchmarks.torture.endurance import Endurance, endurance
from benchmarks.torture.integrity import Integrity, integrity


@pytest.mark.slow
def test_memory_files_and_threads_do_not_grow(bench):
    (tally,) = endurance(bench, Endurance(steps=6_000, warm_up=3_000))
    assert not tally.failures


@pytest.mark.slow
def test_integrity_costs_little(bench):
    (tally,) = integrity(bench, Integrity(warm_up=20, steps=500))
    assert not tally.failures
