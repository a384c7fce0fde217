import hashlib

import numpy as np
import pytest

from gan_jax import features
from gan_jax.common.errors import RequestError
from gan_jax.data import images
from gan_jax.evaluation import feature_sets, references
from gan_jax.evaluation.references import reference
from tests.tiny_features import blocks, no_classes

PIXELS = images.mnist_sample("test", size=8).load().sample[:2000]
NETWORK = features.function(blocks)


class Counting(features.Function):
    """Counts the images that it is given."""

    seen = 0

    def extract(self, pixels):
        type(self).seen += len(pixels)
        return super().extract(pixels)


def means(stored):
    """The numbers themselves as features."""
    return stored.astype(np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache folder."""
    monkeypatch.setattr(references.platformdirs, "user_cache_path", lambda name: tmp_path / name)
    Counting.seen = 0
    return tmp_path / "gan_jax" / "references"


def assert_same(first, second):
    assert first.count == second.count
    np.testing.assert_array_equal(first.moments.mean, second.moments.mean)
    np.testing.assert_array_equal(first.moments.covariance, second.moments.covariance)
    for a, b in zip(first.kept, second.kept, strict=True):
        np.testing.assert_array_equal(a, b)


def test_moments_are_of_all_images_and_the_rows_are_a_fixed_permutation(monkeypatch):
    monkeypatch.setattr(feature_sets, "KEPT_BYTES", 100 * (16 + 10) * 4)
    found = reference(PIXELS, NETWORK)
    whole, _ = blocks(PIXELS)
    assert found.count == 2000
    np.testing.assert_allclose(found.moments.mean, whole.mean(0), rtol=1e-5)
    np.testing.assert_allclose(found.moments.covariance, np.cov(whole, rowvar=False), atol=1e-7)
    order = np.random.default_rng(0).permutation(2000)
    np.testing.assert_array_equal(found.kept.features, whole[order[:100]])
    first = found.first(30)
    np.testing.assert_array_equal(first.features, whole[order[:30]])
    assert first.probabilities.shape == (30, 10)


def test_the_second_time_nothing_is_extracted():
    network = Counting(blocks)
    first = reference(PIXELS, network)
    assert Counting.seen == 2000
    assert_same(first, reference(PIXELS, network))
    assert Counting.seen == 2000


def test_features_without_classes_come_back_without():
    network = features.function(no_classes)
    assert_same(reference(PIXELS, network), reference(PIXELS, network))
    assert reference(PIXELS, network).kept.probabilities is None


def test_one_changed_pixel_or_another_network_is_another_file(cache):
    reference(PIXELS, NETWORK)
    changed = PIXELS.copy()
    changed[1234, 5, 5] ^= 1
    reference(changed, NETWORK)
    reference(changed.reshape(2000, 8, 8, 1)[:, ::-1], NETWORK)
    reference(PIXELS, features.function(no_classes))
    assert len(list(cache.iterdir())) == 4


def test_examples_of_any_rank_have_statistics_and_their_type_counts(cache):
    tokens = np.random.default_rng(0).integers(0, 5, (50, 8), dtype=np.uint8)
    network = features.function(means)
    found = reference(tokens, network)
    np.testing.assert_allclose(found.moments.mean, tokens.mean(0), rtol=1e-6)
    assert_same(found, reference(tokens, network))
    signed = reference(tokens.view(np.int8), network)
    assert_same(found, signed)
    assert len(list(cache.iterdir())) == 2


def test_a_new_way_of_computing_makes_old_files_unused(cache, monkeypatch):
    reference(PIXELS, NETWORK)
    monkeypatch.setattr(references, "VERSION", references.VERSION + 1)
    reference(PIXELS, NETWORK)
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
        lambda content: hashlib.sha256(b"no arrays").digest() + b"no arrays",
    ],
)
def test_a_damaged_file_is_never_used(cache, caplog, damage):
    network = Counting(blocks)
    first = reference(PIXELS, network)
    (file,) = cache.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert_same(first, reference(PIXELS, network))
    assert Counting.seen == 4000
    assert "is damaged" in caplog.text
    assert_same(first, reference(PIXELS, network))
    assert Counting.seen == 4000


def test_where_nothing_can_be_written_it_is_computed_all_the_same(cache, caplog):
    cache.parent.mkdir()
    cache.write_text("a file in the way")
    assert reference(PIXELS, NETWORK).count == 2000
    assert "not cached" in caplog.text


def test_images_that_the_network_does_not_take_are_refused(cache):
    with pytest.raises(RequestError, match="28, 28, 1"):
        reference(PIXELS, features.mnist())
    assert not cache.exists()
