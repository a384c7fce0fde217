"""Where the tests of this folder keep their runs."""

from pathlib import Path

import pytest

from benchmarks.torture.processes import Bench

EXPERIMENT = Path(__file__).parents[2] / "benchmarks" / "torture" / "points_experiment.py"


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, EXPERIMENT)


def pytest_collection_modifyitems(items):
    """Lets warnings be what they are for a user: an error that they became would be one of ours."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("default"))
