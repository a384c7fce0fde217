"""Images of which few have a label: which they are, their batches, and a run on them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import gan, runs
from gan_jax.common.errors import RequestError
from gan_jax.data import dataset, images, points
from gan_jax.data.few_labels import UNKNOWN, FewLabels, few_labels
from gan_jax.evaluation import classification
from gan_jax.experiment import Experiment
from gan_jax.losses import NonSaturating, SemiSupervised, TopK
from gan_jax.networks import dcgan, semi_supervised
from gan_jax.optimizers import Adam
from gan_jax.runs import serialisation
from gan_jax.training.outcome import Outcome
from gan_jax.training.train import train
from tests.states import assert_same_bits

PER_CLASS = 3


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    file = tmp_path_factory.mktemp("few") / "images.npz"
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(file, images=pixels, labels=np.arange(60) % 4)
    return images.arrays(file, 8, 1)


@pytest.fixture(scope="module")
def few(arrays):
    return few_labels(arrays, PER_CLASS)


def test_so_many_of_each_class_keep_their_label(arrays, few):
    label, whole = few.load().label, arrays.load().label
    known = label >= 0
    np.testing.assert_array_equal(label[known], whole[known])
    np.testing.assert_array_equal(np.bincount(label[known]), [PER_CLASS] * 4)
    np.testing.assert_array_equal(few.load().sample, arrays.load().sample)
    other = few_labels(arrays, PER_CLASS, choice=1).load().label
    assert (other != label).any()
    assert few.fingerprint() != few_labels(arrays, PER_CLASS, choice=1).fingerprint()
    assert set(np.flatnonzero(known)) < set(
        np.flatnonzero(few_labels(arrays, PER_CLASS + 1).load().label >= 0)
    )
    assert dataset.in_words(few).startswith("60 examples, 12 of them with a label, of 4 classes")


@pytest.mark.parametrize("size", [2, 5, 40])
def test_every_second_example_of_a_batch_has_a_label(few, size):
    label = few.load().label
    seen, labelled = [], []
    for step in range(12):
        batch = few.batch(7, step, size)
        assert batch["condition"] is None
        indices = few.indices(7, step, size)
        np.testing.assert_array_equal(batch["label"][1::2], label[indices][1::2])
        assert (batch["label"][1::2] >= 0).all()
        assert (batch["label"][::2] == UNKNOWN).all()  # of some of them it is known
        seen += indices[::2].tolist()
        labelled += indices[1::2].tolist()
        np.testing.assert_array_equal(indices, few.indices(7, step, size))
    # Both go through all of theirs before any comes again.
    assert len(set(seen[:60])) == min(len(seen), 60)
    assert len(set(labelled[:12])) == min(len(labelled), 12)


def test_images_without_labels_are_added(arrays, tmp_path):
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (25, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "more.npz", images=pixels)
    more = images.arrays(tmp_path / "more.npz", 8, 1)
    few = few_labels(arrays, None, unlabelled=more)
    assert few.count == 85
    np.testing.assert_array_equal(few.load().label[:60], arrays.load().label)
    assert (few.load().label[60:] == UNKNOWN).all()
    np.testing.assert_array_equal(few.load().sample[60:, :, :, 0], pixels)
    assert set(few.indices(0, 0, 170)[::2]) == set(range(85))
    assert set(few.indices(0, 0, 170)[1::2]) == set(range(60))
    assert dataset.in_words(few).startswith("85 examples, 60 of them with a label")
    some = few_labels(arrays, PER_CLASS, unlabelled=more)
    assert (some.load().label >= 0).sum() == 4 * PER_CLASS
    assert some.fingerprint() != few_labels(arrays, PER_CLASS).fingerprint()
    assert some.held_out() is None
    tried = experiment(some, steps=1)
    assert serialisation.decode(serialisation.encode(tried)) == tried
    with pytest.raises(RequestError, match="unlabelled: images of size 4 with 1 channels; those"):
        few_labels(arrays, unlabelled=images.arrays(tmp_path / "more.npz", 4, 1))
    with pytest.raises(RequestError, match=r"few_labels\(\.\.\., unlabelled=3\): must be None or"):
        few_labels(arrays, unlabelled=3)
    with pytest.raises(RequestError, match=r"FewLabels\.unlabelled = 3: must be None or a source"):
        dataclasses.replace(few, unlabelled=3)


def experiment(few, **changes):
    parts = {
        "generator": semi_supervised.Generator((8, 8, 1), width=8),
        "discriminator": semi_supervised.Discriminator(4, (16, 8)),
        "data": few,
        "loss": SemiSupervised(),
        "latent_size": 5,
        "batch_size": 8,
        "steps": 4,
        "save_every": 2,
    }
    return Experiment(**parts | changes)


@pytest.mark.slow
def test_a_run_resumes_to_the_bit(few, tmp_path):
    assert train(experiment(few), tmp_path / "whole") is Outcome.FINISHED
    train(experiment(few, steps=2), tmp_path / "run")
    train(experiment(few), tmp_path / "run")
    whole, resumed = (runs.load(tmp_path / name) for name in ("whole", "run"))
    assert_same_bits(whole.state, resumed.state)


@pytest.mark.slow
def test_streamed_batches_are_the_same(few, tmp_path):
    for name, fraction in (("resident", 0.25), ("streamed", 0.0)):
        train(experiment(few, device_memory_fraction=fraction), tmp_path / name)
    resident, streamed = (runs.load(tmp_path / name) for name in ("resident", "streamed"))
    assert_same_bits(resident.state, streamed.state)


@pytest.mark.slow
@pytest.mark.parametrize("convolutional", [False, True])
def test_it_learns_the_classes_of_two_patterns(convolutional, tmp_path):
    """Two classes that differ in brightness, with one label each."""
    random = np.random.default_rng(0)
    label = np.arange(200) % 2
    pixels = np.clip(random.normal(70 + 100 * label, 20, (8, 8, 200)), 0, 255).astype(np.uint8)
    np.savez(tmp_path / "two.npz", images=pixels.transpose(2, 0, 1), labels=label)
    whole = images.arrays(tmp_path / "two.npz", 8, 1)
    pair = {"discriminator": semi_supervised.Discriminator(2, (16, 8))}
    if convolutional:
        pair = {
            "generator": semi_supervised.ConvGenerator(8, width=4),
            "discriminator": semi_supervised.ConvDiscriminator(2, width=4, dropout=0.1),
        }
    tried = experiment(
        few_labels(whole, 1),
        **pair,
        generator_optimizer=Adam(3e-3, b1=0.5),
        discriminator_optimizer=Adam(3e-3, b1=0.5),
        batch_size=32,
        steps=None,
        epochs=40,
    )
    state = gan.init(tried, 0)
    update = jax.jit(gan.update, static_argnums=0)
    for step in range(200):
        state, _ = update(tried, state, tried.data.batch(0, step, 32))
    samples = whole.batch(0, 0, 200)["sample"]
    output = gan.discriminator_output(tried, state, jnp.asarray(samples), None)
    found = np.asarray(output.class_logits).argmax(-1)
    expected = whole.load().label[whole.indices(0, 0, 200)]
    assert (found == expected).mean() > 0.95
    assert not classification.test_error(tried, state)  # as nothing is held out
    assert not classification.test_error(
        dataclasses.replace(tried, discriminator=dcgan.Discriminator()),
        gan.init(dataclasses.replace(tried, discriminator=dcgan.Discriminator()), 0),
    )


@dataclasses.dataclass(frozen=True)
class WithHeldOut(FewLabels):
    """Few labels, tested on other images, whose classes may come in another order."""

    apart: images.Images | None = None

    def held_out(self):
        return self.apart


def test_the_test_error_counts_what_is_wrong_and_matches_classes_by_name(
    arrays, tmp_path, monkeypatch
):
    """Of 1,100 images, in more than two parts, the fake classifier says a class of its choice."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (1100, 8, 8), dtype=np.uint8)
    label = random.integers(0, 4, 1100)
    np.savez(tmp_path / "test.npz", images=pixels, labels=label)
    apart = images.arrays(tmp_path / "test.npz", 8, 1)
    few = few_labels(arrays, PER_CLASS)
    tried = experiment(WithHeldOut(**vars(few), apart=apart))
    state = gan.init(tried, 0)
    said = iter(np.array_split((label + (np.arange(1100) < 300)) % 4, [500, 1000]))

    def classes(experiment, state, sample):
        return np.resize(next(said), len(sample))

    monkeypatch.setattr(classification, "_classes", classes)
    (measured,) = classification.test_error(tried, state).values()
    assert (measured.samples, measured.estimate.value) == (1100, 300 / 1100)
    examples = dataclasses.replace(apart.load(), class_names=("3", "2", "1", "0"))
    monkeypatch.setattr(images.Images, "load", lambda self: examples)
    monkeypatch.setattr(images.Images, "class_names", ("3", "2", "1", "0"))
    monkeypatch.setattr(FewLabels, "class_names", ("0", "1", "2", "3"))
    said = iter(np.array_split(3 - label, [500, 1000]))
    (measured,) = classification.test_error(tried, state).values()
    assert measured.estimate.value == 0
    monkeypatch.setattr(FewLabels, "class_names", ("0", "1", "2"))
    with pytest.raises(RequestError, match="classes that are not trained on: 3"):
        classification.test_error(tried, state)


def test_what_does_not_fit_is_refused(arrays, few, tmp_path):
    with pytest.raises(RequestError, match=r"per_class = 16: the class '0' has only 15 images"):
        few_labels(arrays, 16).load()
    with pytest.raises(RequestError, match=r"FewLabels\.per_class = 0: must be at least 1"):
        few_labels(arrays, 0)
    with pytest.raises(RequestError, match=r"FewLabels\.labels = True: networks are not"):
        dataclasses.replace(few, labels=True)
    with pytest.raises(RequestError, match=r"needs data with labels as its targets"):
        train(experiment(arrays), tmp_path / "run")
    with pytest.raises(RequestError, match="does not use the labels of the data"):
        train(experiment(few, loss=NonSaturating()), tmp_path / "run")
    with pytest.raises(RequestError, match="needs a discriminator that is a classifier"):
        train(experiment(few, discriminator=dcgan.Discriminator(width=2)), tmp_path / "run")
    with pytest.raises(RequestError, match=r"discriminator\.classes = 3: the data have 4 classes"):
        fewer = semi_supervised.Discriminator(3, (16, 8))
        train(experiment(few, discriminator=fewer), tmp_path / "run")
    with pytest.raises(RequestError, match="batch_size = 1: few labels need"):
        few.batch(0, 0, 1)
    with pytest.raises(RequestError, match="takes images"):
        few_labels(points.ring())
    with pytest.raises(RequestError, match=r"TopK\.loss = SemiSupervised.*: needs labels"):
        TopK(SemiSupervised())
    assert not (tmp_path / "run").exists()
