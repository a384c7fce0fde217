"""A signal ends a run in time, by the right exit code, and the run goes on."""

import pytest

from benchmarks.torture.signals import Signals, signals


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param(Signals(0, 0, 1, 0), id="few"),
        pytest.param(Signals(0, 2, 1, 1), id="many", marks=pytest.mark.slow),
    ],
)
def test_signals_end_runs(bench, counts):
    (tally,) = signals(bench, counts)
    assert tally.tried == counts.anywhen + counts.saving + counts.training
    assert not tally.failures
