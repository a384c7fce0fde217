import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from gan_jax import gan
from gan_jax.common.errors import RequestError
from gan_jax.data import images
from gan_jax.networks import conditions
from gan_jax.sampling import samples
from tests.tiny import init, tiny

EXPERIMENT = tiny()
STATE = init(EXPERIMENT, 0)


def test_same_key_and_count_same_bytes():
    first = samples.draw(EXPERIMENT, STATE, 5, key=3)
    assert first.tobytes() == samples.draw(EXPERIMENT, STATE, 5, key=3).tobytes()
    assert not np.array_equal(first, samples.draw(EXPERIMENT, STATE, 5, key=4))
    assert first.shape == (5, 8, 8, 1)
    assert np.abs(first).max() <= 1


def test_samples_do_not_depend_on_how_they_are_batched():
    count = samples.BATCH + 3
    latents = samples.draw_latents(EXPERIMENT, 0, count)
    together = samples.from_latents(EXPERIMENT, STATE, latents)
    alone = samples.from_latents(EXPERIMENT, STATE, latents[-3:])
    np.testing.assert_array_equal(together[-3:], alone)


def test_samples_do_not_depend_on_whether_they_come_in_parts(monkeypatch):
    monkeypatch.setattr(samples, "BATCHES_PER_CALL", 1)
    latents = samples.draw_latents(EXPERIMENT, 0, 2 * samples.BATCH + 3)
    parts = list(samples.in_parts(EXPERIMENT, STATE, latents))
    assert [len(part) for part in parts] == [samples.BATCH, samples.BATCH, 3]
    monkeypatch.undo()
    together = samples.from_latents(EXPERIMENT, STATE, latents)
    # Other numbers of batches in a call are other programs, which round otherwise.
    np.testing.assert_allclose(np.concatenate(parts), together, rtol=1e-5, atol=1e-7)


def test_spherical_paths_keep_the_norm_between_that_of_their_ends():
    experiment = tiny(latent_size=100)
    path = np.asarray(samples.interpolate(experiment, 0, rows=3, columns=9)).reshape(3, 9, 100)
    norms = np.linalg.norm(path, axis=-1)
    ends = norms[:, [0, -1]]
    assert (norms >= ends.min(1, keepdims=True) * 0.99).all()
    assert (norms <= ends.max(1, keepdims=True) * 1.1).all()
    # Equal angles from point to point.
    unit = path / norms[..., None]
    angles = np.arccos((unit[:, 1:] * unit[:, :-1]).sum(-1))
    assert (angles.std(axis=1) < 0.15 * angles.mean(axis=1)).all()


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_a_walk_passes_the_latents_of_its_keys_and_ends_where_it_began(distribution):
    experiment = tiny(latent_size=100, latent_distribution=distribution)
    path = np.asarray(samples.walk(experiment, (3, 8, 13), count=2, frames=12))
    assert path.shape == (12, 2, 100)
    for frame, key in ((0, 3), (4, 8), (8, 13)):
        corner = samples.draw_latents(experiment, key, 2)
        np.testing.assert_allclose(path[frame], corner, atol=1e-6)
    steps = np.linalg.norm(np.diff(path, axis=0, append=path[:1]), axis=-1)
    assert steps.max() < 1.5 * steps.min()  # from the last frame to the first as between others


def test_paths_of_a_single_number_are_finite():
    path = samples.interpolate(tiny(latent_size=1), 0, rows=8, columns=4)
    assert np.isfinite(np.asarray(path)).all()


def test_uniform_paths_are_straight():
    experiment = tiny(latent_distribution="uniform")
    path = np.asarray(samples.interpolate(experiment, 0, rows=2, columns=5)).reshape(2, 5, 4)
    np.testing.assert_allclose(path[:, 2], (path[:, 0] + path[:, 4]) / 2, atol=1e-6)


def test_probability_is_the_sigmoid_of_the_logit():
    images = EXPERIMENT.data.batch(0, 0, 10)["sample"]
    logits = np.asarray(gan.discriminate(EXPERIMENT, STATE, jnp.asarray(images)))
    probability = samples.probability_real(EXPERIMENT, STATE, images)
    np.testing.assert_allclose(probability, 1 / (1 + np.exp(-logits)), rtol=1e-5)


@pytest.mark.parametrize("raw", [True, False])
def test_average_or_raw(raw):
    experiment = tiny(ema_decay=0.9)
    state = init(experiment, 0)
    zeroed = state.replace(ema=jax.tree.map(lambda x: x * 0, state.ema))
    drawn = samples.draw(experiment, zeroed, 2, raw=raw)
    assert (np.abs(drawn).max() == 0) == (not raw)


def test_truncated_latents_stay_within_and_keep_their_shape_of_distribution():
    experiment = tiny(latent_size=100)
    latents = np.asarray(samples.draw_latents(experiment, 0, 500, truncation=0.7))
    assert np.abs(latents).max() <= 0.7
    assert latents.std() == pytest.approx(stats.truncnorm(-0.7, 0.7).std(), rel=0.02)
    np.testing.assert_array_equal(latents, samples.draw_latents(experiment, 0, 500, 0.7))


def test_truncation_is_refused_where_it_means_nothing():
    with pytest.raises(RequestError, match="truncation = 0: must be a number above 0"):
        samples.draw_latents(tiny(), 0, 5, truncation=0)
    with pytest.raises(RequestError, match="latents are uniform"):
        samples.draw_latents(tiny(latent_distribution="uniform"), 0, 5, truncation=1.0)


LABELLED = tiny(
    data=dataclasses.replace(EXPERIMENT.data, labels=True),
    generator=conditions.Generator(EXPERIMENT.generator, classes=10),
    discriminator=conditions.Discriminator(EXPERIMENT.discriminator, classes=10),
)


def test_labels_are_drawn_as_often_as_the_data_have_them(tmp_path):
    labels = np.repeat([0, 1, 2], [70, 20, 10])
    np.savez(tmp_path / "few.npz", images=np.zeros((100, 8, 8), np.uint8), labels=labels)
    data = images.arrays(tmp_path / "few.npz", 8, 1, labels=True)
    experiment = dataclasses.replace(LABELLED, data=data)
    drawn = samples.draw_labels(experiment, 3, 10_000)
    assert stats.chisquare(np.bincount(drawn), [7_000, 2_000, 1_000]).pvalue > 0.001
    np.testing.assert_array_equal(drawn, samples.draw_labels(experiment, 3, 10_000))
    assert not np.array_equal(drawn, samples.draw_labels(experiment, 4, 10_000))
    assert samples.draw_labels(EXPERIMENT, 0, 4) is None


def test_classes_take_turns_or_are_one():
    np.testing.assert_array_equal(samples.take_turns(LABELLED, 12)[8:], [8, 9, 0, 1])
    assert samples.take_turns(EXPERIMENT, 4) is None
    np.testing.assert_array_equal(samples.of_class(LABELLED, 3, 2), [3, 3])
    with pytest.raises(RequestError, match="label 1: the run was trained without labels"):
        samples.of_class(EXPERIMENT, 1, 2)


@pytest.mark.parametrize(("label", "number"), [("cat", 0), ("1", 2), (1, 2), ("2", 2), (0, 0)])
def test_a_class_is_chosen_by_its_name_or_else_its_number(label, number):
    chosen = samples.of_class(LABELLED, label, 1, ["cat", "dog", "1"])
    np.testing.assert_array_equal(chosen, [number])


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("cta", "label cta: the run has the classes 0 to 1: cat, dog; did you mean 'cat'"),
        (2, "label 2: the run has the classes 0 to 1: cat, dog$"),
        ("-1", "label -1: the run has the classes 0 to 1"),
        ("²", "label ²: the run has the classes 0 to 1"),
    ],
)
def test_a_class_that_is_not_there_is_refused(label, message):
    with pytest.raises(RequestError, match=message):
        samples.of_class(LABELLED, label, 1, ["cat", "dog"])


def test_samples_have_the_label_that_was_asked_for():
    state = init(LABELLED, 0)
    latents = np.ones((3, 4), np.float32)
    drawn = samples.from_latents(LABELLED, state, latents, labels=np.array([5, 5, 7], np.int32))
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    in_turn = samples.from_latents(LABELLED, state, np.ones((8, 4), np.float32))
    np.testing.assert_array_equal(in_turn[[5, 7]], drawn[[0, 2]])
