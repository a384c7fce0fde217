import dataclasses
import hashlib
import importlib.resources
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import features
from gan_jax.common.errors import RequestError
from gan_jax.data import images
from gan_jax.features import classifier_file, classifiers
from gan_jax.networks.classifier import Classifier
from gan_jax.runs import serialisation

DIGITS = images.mnist_sample("test").load()


SMALL = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Weights file of an untrained classifier of 8 x 8 images in colour."""
    network = Classifier(width=2, feature_size=4, classes=3)
    variables = network.init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)), training=False)
    path = tmp_path_factory.mktemp("features") / "small.npz"
    path.write_bytes(classifier_file.encode(described(), variables))
    return path


def described(**changes):
    """What is said of the classifier of `small`."""
    description = classifier_file.Description(
        data="noise",
        size=8,
        channels=3,
        class_names=("a", "b", "c"),
        width=2,
        feature_size=4,
        test_accuracy=1 / 3,
        test_count=3,
        tested_on="nothing",
        seed=0,
        epochs=1,
        command="none",
        version="0",
        git="",
    )
    return dataclasses.replace(description, **changes)


def colours(pixels):
    """A feature network of a user: the mean of each colour."""
    return pixels.mean(axis=(1, 2))


def test_the_bundled_classifier_reads_digits():
    network = features.mnist()
    extracted = network.extract(np.asarray(DIGITS.sample))
    accuracy = (extracted.probabilities.argmax(-1) == DIGITS.label).mean()
    assert accuracy >= 0.99
    assert extracted.features.shape == (10_000, 128)
    assert (extracted.features.dtype, extracted.probabilities.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(extracted.probabilities.sum(1), 1, atol=1e-5)
    assert network.name == "mnist-cnn"
    covariance = np.cov(extracted.features.T.astype(np.float64))
    assert np.linalg.matrix_rank(covariance) == 128  # no dead feature


@pytest.mark.slow
def test_the_bundled_classifier_has_the_accuracy_that_it_claims(real_data, tmp_path):
    from gan_jax.data.sources.tfds_mnist import read_idx

    pixels = read_idx(real_data / "mnist" / "t10k-images-idx3-ubyte.gz")[..., None]
    labels = read_idx(real_data / "mnist" / "t10k-labels-idx1-ubyte.gz")
    description = features.mnist().description
    right = features.mnist().extract(pixels).probabilities.argmax(-1) == labels
    assert right.mean() == description.test_accuracy >= 0.994
    assert description.test_count == 10_000
    assert f"{description.test_accuracy:.2%}".replace("%", " %") in features.mnist.__doc__


@pytest.mark.parametrize("make", [features.mnist, features.spoken_digits])
def test_bundled_files_are_small_and_are_those_that_the_docstrings_name(make):
    bundled = classifiers.BUNDLED[make().bundled]
    content = (importlib.resources.files("gan_jax.features") / bundled.file).read_bytes()
    assert len(content) <= 2_000_000
    found = hashlib.sha256(content).hexdigest()
    assert found == bundled.sha256 == make().sha256()
    words = " ".join(make.__doc__.split())
    assert found in words and make().description.git[:7] in words
    assert make().name == bundled.name


def test_an_altered_bundled_file_is_refused_with_both_hashes(monkeypatch):
    altered = classifiers.BUNDLED["mnist"]._replace(sha256="f" * 64)
    monkeypatch.setitem(classifiers.BUNDLED, "mnist", altered)
    for use in (features.mnist().sha256, lambda: features.mnist().extract(DIGITS.sample[:1])):
        with pytest.raises(RequestError, match=f"is [0-9a-f]{{64}}, and must be {'f' * 64}"):
            use()


def test_a_classifier_is_its_network_and_a_softmax(small):
    extracted = features.classifier(small).extract(SMALL)
    description, variables = classifier_file.decode(small.read_bytes(), "small")
    inputs = jnp.asarray(SMALL / 127.5 - 1, jnp.float32)
    expected, logits = description.network.apply(variables, inputs, training=False)
    np.testing.assert_allclose(extracted.features, expected, atol=1e-5)
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = exponentials / exponentials.sum(1, keepdims=True)
    np.testing.assert_allclose(extracted.probabilities, probabilities, atol=1e-5)


@pytest.mark.parametrize("count", [1, 255, 256, 257])
def test_results_do_not_depend_on_how_many_images_there_are(small, count):
    many = np.random.default_rng(1).integers(0, 256, (600, 8, 8, 3), np.uint8)
    network = features.classifier(small)
    few = network.extract(many[:count])
    for found, whole in zip(few[:2], network.extract(many)[:2], strict=True):
        np.testing.assert_array_equal(found, whole[:count])


@pytest.mark.parametrize(
    ("pixels", "given"),
    [
        (SMALL[..., :1], r"type uint8, shape \(5, 8, 8, 1\)"),
        (SMALL[:, :7], r"type uint8, shape \(5, 7, 8, 3\)"),
        (SMALL.astype(np.float32), r"type float32, shape \(5, 8, 8, 3\)"),
        (SMALL[0], r"type uint8, shape \(8, 8, 3\)"),
        (SMALL[:0], r"type uint8, shape \(0, 8, 8, 3\)"),
        ([1, 2], r"type list, shape \(2,\)"),
    ],
)
def test_wrong_images_are_refused(small, pixels, given):
    right = r"features small take samples of type uint8, shape \[count, 8, 8, 3\], not "
    with pytest.raises(RequestError, match=right + given):
        features.classifier(small).extract(pixels)


def test_a_missing_file_is_named_with_its_neighbour(small):
    with pytest.raises(RequestError, match=r"cannot read '.*smal\.npz'.*did you mean 'small\.npz'"):
        features.classifier(small.with_name("smal.npz")).sha256()
    with pytest.raises(RequestError, match="features0 is a directory, not a regular file"):
        features.classifier(small.parent).sha256()


def rewritten(path, **changes):
    """The content of a weights file with some arrays changed, or left out where None."""
    with np.load(path) as file:
        arrays = dict(file) | changes
    buffer = io.BytesIO()
    np.savez(buffer, **{name: a for name, a in arrays.items() if a is not None})
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.read_bytes()[:500], "cannot be read as .npz, or is damaged"),
        (lambda path: b"nothing", "cannot be read as .npz, or is damaged"),
        (lambda path: b"", "cannot be read as .npz, or is damaged"),
        (lambda path: rewritten(path, description=None), "is not a classifier .* no 'description'"),
        (lambda path: rewritten(path, description=np.array("{")), "description that cannot be"),
        (lambda path: rewritten(path, description=np.array("[1]")), "description that cannot be"),
        (
            lambda path: rewritten(path, **{"params/Dense_0/bias": None}),
            r"params/Dense_0/bias must have shape \(3,\), and has none",
        ),
        (
            lambda path: rewritten(path, **{"params/Dense_0/bias": np.zeros(4, np.float32)}),
            r"params/Dense_0/bias must have shape \(3,\), and has \(4,\)",
        ),
    ],
)
def test_wrong_files_are_refused(small, tmp_path, damage, message):
    path = tmp_path / "wrong.npz"
    path.write_bytes(damage(small))
    with pytest.raises(RequestError, match=f"wrong.npz.*{message}"):
        features.classifier(path).extract(SMALL)


def test_a_flipped_bit_is_found(small, tmp_path):
    content = bytearray(small.read_bytes())
    with np.load(small) as file:
        content[content.index(file["params/Conv_0/kernel"].tobytes())] ^= 1
    (tmp_path / "flipped.npz").write_bytes(content)
    with pytest.raises(RequestError, match=r"flipped\.npz cannot be read .* damaged"):
        features.classifier(tmp_path / "flipped.npz").extract(SMALL)


def test_a_file_that_changes_is_read_anew(small, tmp_path):
    path = tmp_path / "small.npz"
    path.write_bytes(small.read_bytes())
    network = features.classifier(path)
    before, hash_before = network.extract(SMALL), network.sha256()
    with np.load(small) as file:
        bias = file["params/Dense_0/bias"] + np.array([5, 0, 0], np.float32)
    path.write_bytes(rewritten(small, **{"params/Dense_0/bias": bias}))
    after = network.extract(SMALL)
    assert (after.probabilities[:, 0] > before.probabilities[:, 0]).all()
    assert network.sha256() != hash_before


@pytest.mark.parametrize(
    "network",
    [features.mnist(), features.classifier("some/file.npz"), features.function(colours)],
)
def test_descriptions_go_into_config_json_and_come_back(network):
    again = serialisation.decode(serialisation.encode(network), trusted=True)
    assert again == network
    assert hash(again) == hash(network)
