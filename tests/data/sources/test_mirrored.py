"""Mirror images follow the images, with the same labels."""

import dataclasses

import numpy as np

from gan_jax.data import images
from gan_jax.data.sources import Mirrored


def test_the_second_half_mirrors_the_first():
    plain = images.mnist_sample("test", size=8, labels=True)
    both = images.mirrored(plain)
    assert (both.count, both.labels, both.classes) == (2 * plain.count, True, 10)
    first, second = np.split(both.load().sample, 2)
    np.testing.assert_array_equal(first, plain.load().sample)
    np.testing.assert_array_equal(second, plain.load().sample[:, :, ::-1])
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(both.load().label, np.tile(plain.load().label, 2))
    assert (both.split, both.fingerprint() != plain.fingerprint()) == ("test", True)


def test_what_is_held_out_is_mirrored_too():
    both = images.mirrored(images.mnist_sample(size=8))
    apart = both.held_out()
    assert isinstance(apart.source, Mirrored) and apart.source.source.split == "test"
    assert apart.held_out() is None


def test_images_without_labels_and_shapes(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 6, 3), dtype=np.uint8)
    np.savez(tmp_path / "x.npz", images=pixels)
    both = images.mirrored(images.arrays(tmp_path / "x.npz", 6, 3))
    assert both.load().label is None and both.load().unlabelled
    assert both.source.shapes() == {(6, 6, 3): 10}
    assert both.features() is None
    assert dataclasses.replace(both, size=3).load().sample.shape == (10, 3, 3, 3)
