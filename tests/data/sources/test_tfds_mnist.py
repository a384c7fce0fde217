import gzip
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from gan_jax.data import images
from gan_jax.data.sources import tfds_mnist

MNIST = images.mnist_sample("test").load()


def idx(array):
    shape = b"".join(length.to_bytes(4, "big") for length in array.shape)
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + shape + array.tobytes())


@pytest.fixture
def small_files(tmp_path):
    """The first images of MNIST as original files, by their URL."""
    files = {}
    for url in tfds.image_classification.MNIST.url_infos:
        name = url.rpartition("/")[2]
        start, stop = (0, 200) if name.startswith("train") else (200, 250)
        array = MNIST.sample[..., 0] if "images" in name else MNIST.label.astype(np.uint8)
        files[url] = tmp_path / name
        files[url].write_bytes(idx(array[start:stop]))
    return files


def stock(data_dir):
    return tfds.builder("mnist", data_dir=data_dir)


def check(data_dir):
    for split, start, stop in (("train", 0, 200), ("test", 200, 250)):
        records = list(tfds.data_source("mnist", split=split, data_dir=data_dir))
        found = sorted((r["image"].tobytes(), int(r["label"])) for r in records)
        expected = zip(MNIST.sample[start:stop], MNIST.label[start:stop], strict=True)
        assert found == sorted((image.tobytes(), int(label)) for image, label in expected)


def test_the_stock_reader_reads_what_is_written(small_files, tmp_path, capsys):
    data_dir = tmp_path / "tfds"
    not_prepared = stock(data_dir)
    tfds_mnist.write(not_prepared, data_dir, small_files)
    check(data_dir)
    assert capsys.readouterr().out == ""
    tfds_mnist.write(not_prepared, data_dir, small_files)  # as a slower process would
    check(data_dir)
    assert sorted(os.listdir(data_dir)) == ["downloads", "mnist"]
    assert os.listdir(data_dir / "mnist") == ["3.0.1"]


def test_two_processes_at_once(small_files, tmp_path):
    data_dir = tmp_path / "tfds"
    code = (
        "import pathlib, sys, tensorflow_datasets as tfds\n"
        "from gan_jax.data.sources import tfds_mnist\n"
        "data_dir, files = pathlib.Path(sys.argv[1]), eval(sys.argv[2])\n"
        "tfds_mnist.write(tfds.builder('mnist', data_dir=data_dir), data_dir, files)\n"
    )
    files = {url: str(path) for url, path in small_files.items()}
    command = [sys.executable, "-c", code, str(data_dir), repr(files)]
    processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    check(data_dir)


def test_read_idx_reads_the_originals(real_data):
    folder = real_data / "fashion_mnist"
    assert tfds_mnist.read_idx(folder / "t10k-images-idx3-ubyte.gz").shape == (10_000, 28, 28)
    labels = tfds_mnist.read_idx(folder / "t10k-labels-idx1-ubyte.gz")
    assert np.bincount(labels).tolist() == [1000] * 10
