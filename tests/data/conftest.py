import tarfile

import pytest


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    """An empty cache for each test, instead of the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "gan_jax" / "images"


@pytest.fixture(scope="session")
def cifar10(real_data, tmp_path_factory):
    """Folder of 100 real JPEGs of each of the ten classes of CIFAR-10."""
    folder = tmp_path_factory.mktemp("cifar10")
    with tarfile.open(real_data / "cifar10" / "images.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "cifar10" / "test"
