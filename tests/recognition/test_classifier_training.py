"""The training of feature classifiers, on digits few and small enough to take seconds."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from gan_jax import features
from gan_jax.common.errors import RequestError
from gan_jax.data import images
from gan_jax.data.order import batch_indices
from gan_jax.features import classifier_file
from gan_jax.networks.classifier import Classifier
from gan_jax.recognition import classifier_training as training

KEY = jax.random.key(0)
DIGITS = images.mnist_sample("test", size=8)


def saved_arrays(path, count=300, **arrays):
    """An .npz of digits with the first labels, or other arrays."""
    examples = DIGITS.load()
    content = {"images": examples.sample[:count], "labels": examples.label[:count]} | arrays
    np.savez(path, **{name: array for name, array in content.items() if array is not None})
    return images.arrays(path, 8, 1)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The first 2,000 of them, without held-out images of their own."""
    return saved_arrays(tmp_path_factory.mktemp("digits") / "digits.npz", count=2_000)


def test_transform_agrees_with_scipy():
    image = DIGITS.load().sample[0].astype(np.float32)
    angle, scale, down, right = 0.3, 1.2, 1.5, -0.7
    found = training.transform(jnp.asarray(image), angle, scale, down, right)
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.array([[cosine, -sine], [sine, cosine]]) / scale
    centre = np.array([3.5, 3.5])
    offset = centre - matrix @ (centre + np.array([down, right]))
    expected = scipy.ndimage.affine_transform(
        image[..., 0], matrix, offset, order=1, mode="nearest"
    )
    np.testing.assert_allclose(found[..., 0], expected, atol=1e-2)


def test_transform_shifts_and_turns_the_way_it_says():
    dot = jnp.zeros((9, 9, 1)).at[4, 4].set(1.0)
    nothing = {"angle": 0.0, "scale": 1.0, "down": 0.0, "right": 0.0}
    np.testing.assert_array_equal(training.transform(dot, **nothing), dot)
    moved = training.transform(dot, **nothing | {"down": 2.0, "right": -1.0})
    assert np.argwhere(moved[..., 0] == 1).tolist() == [[6, 3]]
    above = jnp.zeros((9, 9, 1)).at[1, 4].set(1.0)
    turned = training.transform(above, **nothing | {"angle": np.pi / 2})
    assert np.unravel_index(turned.argmax(), (9, 9)) == (4, 7)  # from twelve o'clock to three


def test_augmentation_is_random_for_each_image_and_pure():
    pixels = jnp.broadcast_to(DIGITS.batch(0, 0, 1)["sample"], (64, 8, 8, 1))
    augmented = training.augment(pixels, KEY)
    np.testing.assert_array_equal(augmented, training.augment(pixels, KEY))
    assert len(np.unique(augmented.reshape(64, -1), axis=0)) == 64
    assert augmented.min() >= -1
    assert augmented.max() <= 1
    # The draws are centred, so the mean of many is the image, blurred.
    assert np.corrcoef(augmented.mean(0).ravel(), pixels[0].ravel())[0, 1] > 0.9


def test_an_update_is_a_step_of_adamw_on_the_mean_loss(monkeypatch):
    """Without random draws, the first step of Adam is the rate times the gradient's sign."""
    monkeypatch.setattr(training, "augment", lambda images, key: images)
    network = Classifier(width=2, feature_size=4, dropout=0.0)
    recipe = training.Recipe(network, steps=4, learning_rate=0.1, weight_decay=0.0)
    state = training.init(recipe, DIGITS.sample_shape, KEY)
    batch = dataclasses.replace(DIGITS, labels=True).batch(0, 0, 32)
    batch = jax.tree.map(jnp.asarray, batch)

    def loss(params):
        variables = {"params": params, "batch_stats": state.batch_stats}
        (_, logits), _ = network.apply(
            variables, batch["sample"], training=True, mutable=["batch_stats"]
        )
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), batch["condition"][:, None], 1)
        return -chosen.mean()

    expected, gradient = jax.value_and_grad(loss)(state.params)
    new, metrics = training.update(recipe, KEY, state, batch["sample"], batch["condition"])
    assert metrics["loss"] == pytest.approx(float(expected), rel=1e-5)
    assert int(new.step) == 1
    for old, moved, slope in zip(
        *map(jax.tree.leaves, (state.params, new.params, gradient)), strict=True
    ):
        clear = jnp.abs(slope) > 1e-4
        np.testing.assert_allclose((moved - old)[clear], -0.1 * jnp.sign(slope)[clear], rtol=1e-2)


def test_the_learning_rate_rises_and_falls_to_nothing():
    recipe = training.Recipe(Classifier(width=2, feature_size=4), steps=10)
    params = {"w": jnp.zeros(1)}
    optimizer = dataclasses.replace(recipe, weight_decay=0.0).optimizer()
    opt_state = optimizer.init(params)
    sizes = []
    for _ in range(11):
        updates, opt_state = optimizer.update({"w": jnp.ones(1)}, opt_state, params)
        sizes.append(float(-updates["w"][0]))
    assert np.argmax(sizes) == 2
    assert sizes[2] == pytest.approx(recipe.learning_rate, rel=1e-3)
    assert sizes[10] == pytest.approx(0, abs=1e-9)


def test_trained_weights_classify_as_the_file_says(tmp_path, digits):
    out = tmp_path / "digits.npz"
    made = training.make(digits, "digits", out, epochs=8, seed=0)
    assert made.test_count == 200
    assert "not trained on" in made.tested_on
    assert made.test_accuracy > 0.8
    network = features.classifier(out)
    assert network.description == made
    assert network.name == "digits"
    test = training.split(digits).test
    right = network.extract(test.sample).probabilities.argmax(-1) == test.label
    assert right.mean() == made.test_accuracy


def test_the_same_seed_gives_the_same_file(tmp_path):
    data = saved_arrays(tmp_path / "digits.npz")
    contents = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        training.make(data, "digits", tmp_path / name, epochs=1, seed=seed)
        contents[name] = (tmp_path / name).read_bytes()
    assert contents["a"] == contents["b"] != contents["c"]


def test_held_out_images_are_tested_on_where_there_are_some():
    parts = training.split(images.mnist_sample("train", size=8))
    np.testing.assert_array_equal(parts.test.sample, DIGITS.load().sample)
    np.testing.assert_array_equal(parts.test.label, DIGITS.load().label)
    assert len(parts.training.label) == 10_000


def test_else_a_tenth_is_held_out_the_same_for_all_seeds(digits):
    parts = training.split(digits)
    assert (len(parts.test.label), len(parts.training.label)) == (200, 1_800)
    apart = np.concatenate([parts.test.sample, parts.training.sample])
    assert _rows(apart) == _rows(digits.load().sample)
    np.testing.assert_array_equal(parts.test.sample, training.split(digits).test.sample)
    assert len(np.unique(parts.test.label)) == 10


def test_every_image_to_train_on_is_seen_once_an_epoch(monkeypatch, digits):
    seen = []

    def updates(recipe, data, key, state, raw):
        seen.append(raw["sample"])
        return state, {"loss": np.arange(len(raw["sample"]))}

    monkeypatch.setattr(training, "_updates", updates)
    monkeypatch.setattr(training, "BATCH", 72)
    parts = training.split(digits)
    recipe = training.Recipe(Classifier(width=2, feature_size=4), steps=25)
    trained = training.train(digits, parts.training, recipe, seed=3)
    last = [metrics["loss"] for _, metrics in trained]
    assert last == [19, 4]
    batches = np.concatenate(seen)
    first = parts.training.at(batch_indices(1_800, 3, 0, 72))
    np.testing.assert_array_equal(batches[0], first.sample)
    assert _rows(batches.reshape(-1, 8, 8, 1)) == _rows(parts.training.sample)


def test_steps_together_are_the_steps_one_by_one(monkeypatch, digits):
    recipe = training.Recipe(Classifier(width=2, feature_size=4), steps=3)
    monkeypatch.setattr(training, "BATCH", 16)
    parts = training.split(digits)
    ((together, metrics),) = training.train(digits, parts.training, recipe, seed=1)
    state = training.init(recipe, digits.sample_shape, jax.random.key(1))
    for step in range(3):
        raw = parts.training.at(batch_indices(1_800, 1, step, 16))._asdict()
        sample, label = jnp.asarray(digits.prepare(raw)["sample"]), jnp.asarray(raw["label"])
        state, last = training.update(recipe, jax.random.key(1), state, sample, label)
    assert int(together.step) == int(state.step) == 3
    assert float(metrics["loss"]) == pytest.approx(float(last["loss"]), rel=1e-3)
    statistics = zip(*map(jax.tree.leaves, (together.batch_stats, state.batch_stats)), strict=True)
    for found, expected in statistics:
        np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"labels": None}, r"no labels \(the file holds no 'labels'\): in a folder, each"),
        ({"labels": np.zeros(300, int)}, "has only one"),
    ],
)
def test_data_without_classes_are_refused(tmp_path, arrays, message):
    with pytest.raises(RequestError, match=message):
        training.split(saved_arrays(tmp_path / "digits.npz", **arrays))


def test_too_few_images_are_refused(tmp_path):
    with pytest.raises(RequestError, match="has 19 examples: too few"):
        training.split(saved_arrays(tmp_path / "digits.npz", count=19))


def test_other_classes_held_out_are_refused(tmp_path):
    from PIL import Image

    for name in ("train/cat", "train/dog", "test/cat", "test/cow"):
        (tmp_path / name).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / name / "1.png")
    with pytest.raises(RequestError, match=r"has the classes cat, cow; .* have cat, dog"):
        training.split(images.folder(tmp_path / "train", 8, 1))


def test_nothing_is_left_behind_when_training_is_interrupted(tmp_path, monkeypatch):
    data = saved_arrays(tmp_path / "digits.npz")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(training.classifier_file, "encode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        training.make(data, "digits", tmp_path / "out.npz", epochs=1, seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["digits.npz"]


def test_progress_is_told_where_there_is_no_terminal(capsys, monkeypatch):
    monkeypatch.setattr(training, "SECONDS_BETWEEN_LINES", 0)
    state = training.State(jnp.int32(40), None, None, None)
    with training.progress(steps=100, steps_of_epoch=20) as show:
        show(state, {"loss": 0.5, "accuracy": 0.75})
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "step 40/100 · epoch 2.0 · loss 0.500 · 75.0% right"


def test_files_round_trip(tmp_path):
    made = functools.partial(classifier_file.decode, path="x.npz")
    network = Classifier(feature_size=4, width=2, classes=3)
    variables = network.init(KEY, jnp.zeros((1, 8, 8, 1)), training=False)
    description = classifier_file.Description(
        "d", 8, 1, ("a", "b", "c"), 2, 4, 0.5, 10, "t", 0, 1, "gan-jax", "0", ""
    )
    content = classifier_file.encode(description, variables)
    again, arrays = made(content)
    assert again == description
    assert again.network == network
    jax.tree.map(np.testing.assert_array_equal, variables, arrays)


def _rows(pixels):
    return sorted(row.tobytes() for row in pixels)
