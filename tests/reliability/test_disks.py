"""What is wrong with a disk or a folder is said once, and the run goes on when it is mended."""

import pytest

from benchmarks.torture.disks import Disks, disks


@pytest.mark.slow
@pytest.mark.parametrize(
    "counts",
    [pytest.param(Disks(0, 0, 1, 0, 0), id="few"), pytest.param(Disks(1, 1, 0, 1, 0), id="many")],
)
def test_a_run_goes_on_once_the_disk_is_mended(bench, counts):
    (tally,) = disks(bench, counts)
    assert tally.tried > 0
    assert not tally.failures
