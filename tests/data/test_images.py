import dataclasses
import gzip
import json
import subprocess
import sys
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tyro

import gan_jax.data
from gan_jax import features
from gan_jax.common.errors import RequestError
from gan_jax.data import images

FOLDER = Path(gan_jax.data.__file__).parent


def original(file, rank):
    """The values of an IDX file, read without the package."""
    content = gzip.decompress(file.read_bytes())
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank)


FIRST = np.arange(10_000)
IN_RANDOM_ORDER = np.random.default_rng(0).permutation(10_000)


@pytest.mark.parametrize(
    ("split", "part", "chosen"), [("train", "train", FIRST), ("test", "t10k", IN_RANDOM_ORDER)]
)
def test_the_sample_is_of_mnist(real_data, split, part, chosen):
    examples = images.mnist_sample(split).load()
    pixels = original(real_data / "mnist" / f"{part}-images-idx3-ubyte.gz", rank=3)
    labels = original(real_data / "mnist" / f"{part}-labels-idx1-ubyte.gz", rank=1)
    np.testing.assert_array_equal(examples.sample, pixels.reshape(-1, 28, 28, 1)[chosen])
    np.testing.assert_array_equal(examples.label, labels[chosen])
    assert examples.class_names == tuple("0123456789")


def test_the_sample_is_small_and_has_its_licence_beside_it():
    assert (FOLDER / "mnist_sample.npz").stat().st_size <= 3_500_000
    licence = (FOLDER / "mnist_sample_LICENSE.txt").read_text()
    for wanted in ("CC BY-SA 3.0", "Yann LeCun", "Corinna Cortes", "Changes"):
        assert wanted in licence


def test_mnist_at_other_sizes():
    described = images.mnist_sample("test", size=32, channels=3)
    sample = described.load().sample
    assert sample.shape == (10_000, *described.sample_shape) == (10_000, 32, 32, 3)
    assert (sample == sample[..., :1]).all()
    # Scaling keeps the mean: each image's grows or shrinks by its rounding and ringing only.
    small = images.mnist_sample("test").load().sample
    assert abs(sample.mean(axis=(1, 2, 3)) - small.mean(axis=(1, 2, 3))).max() < 3


def test_batches_hold_each_image_once_an_epoch():
    described = images.mnist_sample("test", labels=True)
    batches = [described.batch(1, step, 1_000) for step in range(10)]
    seen = np.concatenate([batch["sample"] for batch in batches])
    conditions = np.concatenate([batch["condition"] for batch in batches])
    whole = described.prepare({"sample": described.load().sample, "label": described.load().label})

    def rows(samples, labels):
        return sorted(
            (row.tobytes(), int(label)) for row, label in zip(samples, labels, strict=True)
        )

    assert rows(seen, conditions) == rows(whole["sample"], whole["condition"])


def test_batches_are_pure():
    described = images.mnist_sample("test", labels=True)
    first = described.batch(3, 11, 300)
    described.batch(4, 5, 17)
    again = images.mnist_sample("test", labels=True).batch(3, 11, 300)
    for name in ("sample", "condition"):
        np.testing.assert_array_equal(first[name], again[name])
    assert (first["sample"].dtype, first["condition"].dtype) == (np.float32, np.int32)


def test_condition_only_where_asked_for():
    assert images.mnist_sample("test").batch(0, 0, 4)["condition"] is None
    described = images.mnist_sample("test", labels=True)
    indices = described.indices(0, 0, 4)
    np.testing.assert_array_equal(
        described.batch(0, 0, 4)["condition"], described.load().label[indices]
    )


def test_prepare_gives_the_same_bits_in_numpy_and_jax():
    described = images.mnist_sample(labels=True)
    raw = {"sample": np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1), "label": np.arange(4)}
    numpy = described.prepare(raw)["sample"]
    assert numpy.dtype == np.float32
    assert (numpy.min(), numpy.max()) == (-1, 1)
    np.testing.assert_allclose(numpy, raw["sample"] / 127.5 - 1, rtol=0, atol=1e-7)
    on_device = jax.tree.map(jnp.asarray, raw)
    compiled = jax.jit(described.prepare)(on_device)["sample"]
    within = jax.jit(lambda raw, i: described.prepare({"sample": raw["sample"][i], "label": None}))
    for other in (
        described.prepare(on_device)["sample"],
        compiled,
        within(on_device, jnp.arange(4))["sample"],
    ):
        assert isinstance(other, jax.Array)
        np.testing.assert_array_equal(np.asarray(other).view(np.int32), numpy.view(np.int32))


def test_loaded_images_cannot_be_altered():
    with pytest.raises(ValueError, match="read-only"):
        images.mnist_sample("test").load().sample[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        images.mnist_sample("test").load().label[0] = 0


def test_loaded_once_per_process():
    assert images.mnist_sample("test").load() is images.mnist_sample("test", labels=True).load()


ALL = [
    images.mnist_sample(),
    images.mnist_sample("test", labels=True),
    images.tfds("mnist", "train[:100]", data_dir="nowhere"),
    images.folder("nowhere", 32),
    images.arrays("nowhere.npz", 16, 1, labels=True),
]


@pytest.mark.parametrize("described", ALL)
def test_descriptions_are_plain_values(described):
    copy = dataclasses.replace(described)
    assert copy == described
    assert hash(copy) == hash(described)
    assert len({described, *ALL}) == len(ALL)
    assert described.sample_shape == (described.size, described.size, described.channels)
    written = dataclasses.asdict(described)
    assert json.loads(json.dumps(written)) == written
    with pytest.raises(dataclasses.FrozenInstanceError):
        described.size = 5


@pytest.mark.parametrize("described", ALL)
def test_every_field_can_be_overridden_on_the_command_line(described):
    @dataclasses.dataclass(frozen=True)
    class Run:
        data: images.Images

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = tyro.cli(
            Run, default=Run(described), args=["--data.size", "64", "--data.channels", "3"]
        )
    assert run.data == dataclasses.replace(described, size=64, channels=3)
    for field, value in dataclasses.asdict(described.source).items():
        other = 5 if isinstance(value, int) else "refuse" if value == "skip" else "test"
        arguments = [f"--data.source.{field.replace('_', '-')}", str(other)]
        run = tyro.cli(Run, default=Run(described), args=arguments)
        assert getattr(run.data.source, field) == other


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"split": "trian"},
            r"MnistSample\.split = 'trian': .* did you mean 'train'",
        ),
        ({"split": 1}, r"MnistSample\.split = 1: expected one of 'train', 'test'"),
        ({"size": 0}, r"Images\.size = 0: must be at least 1"),
        ({"size": 28.0}, r"Images\.size = 28\.0: expected int"),
        ({"size": True}, r"Images\.size = True: expected int"),
        ({"channels": 2}, r"Images\.channels = 2: expected one of 1, 3"),
        ({"channels": "3"}, r"Images\.channels = '3': expected one of 1, 3"),
        ({"labels": 1}, r"Images\.labels = 1: expected bool"),
    ],
)
def test_wrong_arguments_are_refused_when_described(arguments, message):
    with pytest.raises(RequestError, match=message):
        images.mnist_sample(**arguments)


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(RequestError, match=r"batch_size must be between 1 and .* 10000, not 10001"):
        images.mnist_sample("test").indices(0, 0, 10_001)


def test_importing_and_describing_touch_nothing_heavy(tmp_path):
    code = (
        "import sys\n"
        "from gan_jax.data import images, order, stream\n"
        "images.mnist_sample().sample_shape\n"
        "images.tfds('mnist', data_dir='nowhere')\n"
        "images.folder('nowhere', 32)\n"
        "images.mnist_sample('test').batch(0, 0, 4)\n"
        "loaded = {module.partition('.')[0] for module in sys.modules}\n"
        "print(sorted(loaded & {'jax', 'flax', 'grain', 'tensorflow', 'tensorflow_datasets'}))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(FOLDER.parents[1]), "HOME": str(tmp_path)},
    )
    assert result.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []


def test_test_images_are_held_out_from_training_images():
    described = images.mnist_sample(channels=3, size=16, labels=True)
    assert described.held_out() == images.mnist_sample("test", 3, 16, True)
    assert images.mnist_sample("test").held_out() is None
    assert images.arrays("nowhere.npz", 8, 1).held_out() is None


def test_the_folder_beside_the_training_folder_is_held_out(tmp_path):
    described = images.folder(tmp_path / "train", 8, labels=True)
    assert described.held_out() is None
    (tmp_path / "val").mkdir()
    assert described.held_out() == images.folder(tmp_path / "val", 8, labels=True)
    (tmp_path / "test").mkdir()
    assert described.held_out() == images.folder(tmp_path / "test", 8, labels=True)
    assert images.folder(tmp_path / "other", 8).held_out() is None
    assert images.folder(tmp_path / "test", 8).held_out() is None


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist:3.0.1", "emnist/letters"])
def test_data_sets_like_mnist_have_its_size_and_channels(name):
    assert images.tfds(name) == images.tfds(name, size=28, channels=1)
    assert images.tfds(name, channels=3).sample_shape == (28, 28, 3)


@pytest.mark.parametrize("given", [{}, {"size": 32}, {"channels": 3}])
def test_other_data_sets_need_size_and_channels(given):
    with pytest.raises(RequestError, match=r"images\.tfds\('cifar10'\): give size and channels"):
        images.tfds("cifar10", **given)


def test_data_say_what_they_are_without_loading():
    nowhere = images.folder("nowhere", 16, 3)
    assert nowhere.stored == ((16, 16, 3), "uint8")
    assert nowhere.split == "all"
    assert images.mnist_sample("test").split == "test"
    assert images.tfds("mnist", "train[:100]", data_dir="nowhere").split == "train[:100]"
    assert images.stacked(images.mnist_sample()).split == "all"


def test_pixels_are_the_way_back_from_samples():
    described = images.mnist_sample("test", size=8)
    raw = described.gather(np.arange(20))
    np.testing.assert_array_equal(
        described.to_stored(described.prepare(raw)["sample"]), raw["sample"]
    )


@pytest.mark.parametrize(
    ("described", "bundled"),
    [
        (images.mnist_sample("test", labels=True), True),
        (images.tfds("mnist", "train[:100]", data_dir="nowhere"), True),
        (images.tfds("mnist:3.0.1", data_dir="nowhere"), True),
        (images.mnist_sample(size=32), False),
        (images.mnist_sample(channels=3), False),
        (images.tfds("fashion_mnist", data_dir="nowhere"), False),
        (images.arrays("nowhere.npz", 28, 1), False),
        (images.stacked(images.mnist_sample()), False),
    ],
)
def test_digits_come_with_a_feature_network(described, bundled):
    assert described.features() == (features.mnist() if bundled else None)
