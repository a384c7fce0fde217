"""Triples of digits: the channels are the digits that the label names."""

import numpy as np
import pytest

from gan_jax import features
from gan_jax.common.errors import RequestError
from gan_jax.data import images


def test_each_channel_is_a_digit_of_the_source_and_the_label_names_all_three():
    stacked = images.stacked(images.mnist_sample(), count=300, labels=True)
    examples = stacked.load()
    assert examples.sample.shape == (300, 28, 28, 3) and stacked.sample_shape == (28, 28, 3)
    assert stacked.classes == 1000 and examples.class_names[731] == "7 3 1"
    for channel, unit in enumerate((100, 10, 1)):
        digits = np.ascontiguousarray(examples.sample[..., channel : channel + 1])
        told = features.mnist().extract(digits).probabilities.argmax(1)
        assert (told == examples.label // unit % 10).mean() > 0.99


def test_the_draw_is_always_the_same_and_from_all_of_the_source():
    stacked = images.stacked(images.mnist_sample(), count=2000)
    assert stacked.fingerprint() == images.stacked(images.mnist_sample(), count=2000).fingerprint()
    assert stacked.load().sample.std(0).max() > 50
    apart = stacked.held_out()
    assert apart.source.source.split == "test"
    assert apart.held_out() is None


def test_colour_is_refused():
    with pytest.raises(RequestError, match=r"images\.channels = 3: only grey images"):
        images.stacked(images.mnist_sample(channels=3))


def test_too_many_classes_to_name_are_refused(tmp_path):
    labels = np.arange(101)
    pixels = np.zeros((101, 8, 8, 1), np.uint8)
    np.savez(tmp_path / "many.npz", images=pixels, labels=labels)
    with pytest.raises(RequestError, match=r"101\^3 combinations"):
        images.stacked(images.arrays(tmp_path / "many.npz", 8, 1)).load()
