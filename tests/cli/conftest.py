"""What the tests of commands share."""

import pytest

from gan_jax.training.train import train
from tests.tiny import tiny


@pytest.fixture(scope="session")
def seeds_run(tmp_path_factory):
    """A directory of two seeds, trained together."""
    workdir = tmp_path_factory.mktemp("seeds") / "runs"
    train(tiny(), workdir, seeds=(0, 3))
    return workdir
