import io
import os
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.core import registered

from gan_jax.common.errors import RequestError
from gan_jax.data import images
from gan_jax.data.sources import tfds_mnist
from gan_jax.data.sources.tfds import Tfds

MNIST = images.mnist_sample("test").load()


def load(name, split="train", size=28, channels=1, data_dir=None):
    """Load without the cache of the process, as a new process would."""
    return Tfds(name, split, data_dir and str(data_dir)).examples(size, channels)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Nothing answers: there is no proxy at this port."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.fixture(scope="session")
def prepared(cifar10, tmp_path_factory):
    """Real images as MNIST and CIFAR-10, prepared by TFDS and not by the package."""

    def png(image):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "png")
        return buffer.getvalue()

    def digits(start, stop):
        for index in range(start, stop):
            record = {"image": png(MNIST.sample[index, ..., 0]), "label": int(MNIST.label[index])}
            yield index, record

    def objects(count):
        for label, name in enumerate(sorted(folder.name for folder in cifar10.iterdir())):
            for file in sorted((cifar10 / name).iterdir())[:count]:
                key = f"{name}_{file.stem}"
                yield key, {"id": key, "image": file.read_bytes(), "label": label}

    def withheld():
        for index, record in digits(100, 110):
            yield index, {**record, "label": -1}

    def builder(stock, splits):
        with registered.skip_registration():

            class Builder(stock):
                name = stock.name

                def _split_generators(self, dl_manager):
                    if self.name == "cifar10":
                        self.info.features["label"].names = sorted(os.listdir(cifar10))
                    return {split: generate() for split, generate in splits.items()}

        return Builder

    data_dir = tmp_path_factory.mktemp("tfds")
    mnist = {"train": lambda: digits(0, 300), "test": lambda: digits(300, 400), "blind": withheld}
    cifar = {"train": lambda: objects(20), "test": lambda: objects(3)}
    for stock, splits in (
        (tfds.image_classification.MNIST, mnist),
        (tfds.builder_cls("cifar10"), cifar),
    ):
        builder(stock, splits)(data_dir=data_dir, file_format="array_record").download_and_prepare()
    return data_dir


def stock_images(name, split, data_dir):
    records = list(tfds.data_source(name, split=split, data_dir=data_dir))
    return np.stack([r["image"] for r in records]), [r["label"] for r in records]


@pytest.mark.parametrize("split", ["train", "test", "train[:30]", "train[10%:20%]+test", "all"])
def test_same_images_in_the_same_order_as_the_stock_reader(prepared, split):
    expected, labels = stock_images("mnist", split.replace("all", "blind+test+train"), prepared)
    if split == "all":
        order = np.lexsort(expected.reshape(len(expected), -1).T)
        expected = expected[order]
    examples = load("mnist", split, data_dir=prepared)
    sample = examples.sample
    if split == "all":
        sample = sample[np.lexsort(sample.reshape(len(sample), -1).T)]
        assert examples.label is None
    else:
        assert examples.label.tolist() == labels
    np.testing.assert_array_equal(sample, expected)


def test_colour_images_of_another_data_set(prepared):
    described = images.tfds("cifar10", "test", 32, 3, labels=True, data_dir=prepared)
    expected, labels = stock_images("cifar10", "test", prepared)
    assert abs(described.load().sample.astype(int) - expected).max() <= 1
    assert described.load().label.tolist() == labels
    assert described.load().class_names[:2] == ("airplane", "automobile")
    assert described.batch(0, 0, 8)["sample"].shape == (8, 32, 32, 3)


def test_withheld_labels_are_no_labels(prepared):
    examples = load("mnist", "blind", data_dir=prepared)
    assert (len(examples.sample), examples.label, examples.class_names) == (10, None, ())
    described = images.tfds("mnist", "blind", labels=True, data_dir=prepared)
    with pytest.raises(RequestError, match="labels of the split 'blind' are withheld"):
        described.load()


@pytest.fixture
def with_labels(tmp_path):
    """A function that prepares grey images of two sizes with labels, as a data set of its own."""

    def prepare(labels, **of_labels):
        features = {
            "image": tfds.features.Image(shape=(None, None, 1)),
            "label": tfds.features.ClassLabel(**of_labels),
        }
        with registered.skip_registration():

            class Builder(tfds.core.GeneratorBasedBuilder):
                VERSION = tfds.core.Version("1.0.0")
                name = "pictures"

                def _info(self):
                    return tfds.core.DatasetInfo(
                        builder=self, features=tfds.features.FeaturesDict(features)
                    )

                def _split_generators(self, dl_manager):
                    return {"train": self._generate_examples()}

                def _generate_examples(self):
                    for index, label in enumerate(labels):
                        buffer = io.BytesIO()
                        Image.new("L", (8 + index // 4, 8)).save(buffer, "png")
                        yield index, {"image": buffer.getvalue(), "label": label}

        Builder(data_dir=tmp_path, file_format="array_record").download_and_prepare()
        return Tfds("pictures", "train", str(tmp_path))

    return prepare


def test_many_numbers_without_names_are_classes_as_in_arrays(with_labels):
    first, count = 20261128, 6
    source = with_labels([first, first + 9] * (count // 2), num_classes=first + 10)
    examples = source.examples(8, 1)
    assert examples.class_names == ("20261128", "20261137")
    assert sorted(examples.label.tolist()) == [0, 0, 0, 1, 1, 1]
    assert source.shapes() == {(8, 8, 1): 4, (8, 9, 1): 2}


def test_a_number_for_every_image_is_no_class(with_labels):
    source = with_labels(range(1761234567, 1761234573), num_classes=2**31 - 1)
    assert source.examples(8, 1).label is None
    assert "6 examples have 6 different labels" in source.examples(8, 1).unlabelled


def test_own_shapes_are_those_that_the_data_set_declares(prepared):
    assert Tfds("cifar10", "test", str(prepared)).shapes() == {(32, 32, 3): 30}


def test_cached_beside_the_prepared_data(prepared):
    first = load("mnist", "test[:50]", 16, data_dir=prepared)
    files = set((prepared / "mnist" / "3.0.1").glob("gan_jax-*.images"))
    times = {file: file.stat().st_mtime_ns for file in files}
    second = load("mnist", "test[:50]", 16, data_dir=prepared)
    np.testing.assert_array_equal(first.sample, second.sample)
    np.testing.assert_array_equal(first.label, second.label)
    assert times == {file: file.stat().st_mtime_ns for file in files}
    newer = prepared / "mnist" / "3.0.1" / "features.json"
    newer.touch()
    load("mnist", "test[:50]", 16, data_dir=prepared)
    assert files != set((prepared / "mnist" / "3.0.1").glob("gan_jax-*.images"))


def test_the_environment_says_where(prepared, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    assert len(load("mnist", "test").sample) == 100


def test_the_test_split_is_held_out(prepared):
    described = images.tfds("cifar10", "train[:30]", 32, 3, labels=True, data_dir=prepared)
    held_out = images.tfds("cifar10", "test", 32, 3, labels=True, data_dir=prepared)
    assert described.held_out() == held_out
    for split in ("test", "train+test", "blind", "all"):
        assert images.tfds("mnist", split, data_dir=prepared).held_out() is None


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("mnst", "train", r"cannot open 'mnst': .*did you mean 'mnist'\?"),
        ("fashion-mnist", "train", r"cannot open 'fashion-mnist': .*did you mean 'fashion_mnist'"),
        ("emnist/leters", "train", r"cannot open 'emnist/leters'.*did you mean 'emnist/letters'"),
        ("mnist:9.9.9", "train", "only: 3.0.1"),
        ("mnist", "trian", r"has 'train', .* but no 'trian'; did you mean 'train'\?"),
        ("mnist", "train[:5", "Error parsing split"),
        ("mnist", "train[999:]", "999.*300 examples"),
        ("mnist", "train[5:5]", "holds no images"),
        ("emnist/letters", "train", "is not prepared in .*tfds build emnist/letters"),
        ("imdb_reviews", "train", "has no images, but text, label"),
        ("fashion_mnist", "tst", r"but no 'tst'; did you mean 'test'\?"),
    ],
)
def test_wrong_requests_say_what_is_right(prepared, name, split, message):
    with pytest.raises(RequestError, match=message) as error:
        load(name, split, data_dir=prepared)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_no_files_and_no_network_is_said_at_once(tmp_path, name):
    start = time.monotonic()
    message = rf"'{name}' is not prepared in .*cannot be reached; copy .*train-images-idx3.* to '"
    with pytest.raises(RequestError, match=message):
        load(name, data_dir=tmp_path / "empty")
    assert time.monotonic() - start < 30  # TFDS itself tries for more than three minutes
    assert not (tmp_path / "empty").exists()


def test_another_format_is_refused_with_a_command(prepared, tmp_path):
    target = tmp_path / "mnist" / "3.0.1"
    target.mkdir(parents=True)
    for file in (prepared / "mnist" / "3.0.1").glob("*.json"):
        (target / file.name).write_text(file.read_text().replace("array_record", "tfrecord"))
    with pytest.raises(RequestError, match=r"prepared as tfrecord.*--file_format=array_record"):
        load("mnist", data_dir=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_originals_are_prepared_without_tensorflow_or_network(real_data, tmp_path, name):
    """Both with the files of the other one where TFDS would trip over them."""
    manual = tmp_path / "downloads" / "manual"
    own = manual / name if name == "fashion_mnist" else manual
    for folder, source in ((manual, "mnist"), (own, name)):
        folder.mkdir(parents=True, exist_ok=True)
        for file in (real_data / source).glob("*.gz"):
            (folder / file.name).unlink(missing_ok=True)
            (folder / file.name).symlink_to(file)
    for split, part in tfds_mnist.PARTS.items():
        examples = load(name, split, data_dir=tmp_path)
        pixels = tfds_mnist.read_idx(real_data / name / f"{part}-images-idx3-ubyte.gz")
        labels = tfds_mnist.read_idx(real_data / name / f"{part}-labels-idx1-ubyte.gz")
        assert len(examples.sample) == len(labels)
        assert sorted_rows(examples.sample[..., 0], examples.label) == sorted_rows(pixels, labels)
        stock, stock_labels = stock_images(name, split, tmp_path)
        np.testing.assert_array_equal(examples.sample, stock)
        assert examples.label.tolist() == stock_labels
    assert sorted(path.name for path in tmp_path.iterdir()) == ["downloads", name]


def sorted_rows(images, labels):
    return sorted(
        (image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True)
    )
