import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax import augmentation, logit_averages, penalties
from gan_jax.augmentation import Adaptive, DiffAugment, GeometryAndColour, InstanceNoise
from gan_jax.common.errors import RequestError
from gan_jax.optimizers import Schedule, from_optax
from tests.tiny import init, tiny, tiny_points, update

KEY = jax.random.key(0)
IMAGES = jax.random.uniform(jax.random.key(1), (40, 8, 12, 3), minval=-1.0)
NOTHING = DiffAugment(colour=False, translation=0.0, cutout=0.0)


def at(step=0, probability=0.0):
    """A state as augmentations see it."""
    held = logit_averages.start()._replace(augmentation=jnp.float32(probability))
    return types.SimpleNamespace(step=jnp.int32(step), statistics=held)


def test_translation_moves_each_image_and_fills_with_grey():
    moved = DiffAugment(colour=False, translation=0.25, cutout=0.0)(IMAGES, KEY, at())
    offsets = set()
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (3, 3), (0, 0)))
    for image, original in zip(np.asarray(moved), padded, strict=True):
        found = [
            (y, x)
            for y in range(5)
            for x in range(7)
            if np.array_equal(image, original[y : y + 8, x : x + 12])
        ]
        assert len(found) == 1
        offsets.add(found[0])
    ys, xs = zip(*offsets, strict=True)
    assert set(ys) == set(range(5)) and set(xs) == set(range(7))


@pytest.mark.parametrize(("size", "side"), [(4, 1), (5, 1), (6, 2), (9, 2), (10, 3)])
def test_a_fraction_of_an_image_is_rounded_half_up(size, side):
    cut = DiffAugment(colour=False, translation=0.0, cutout=0.25)
    blank = np.asarray(cut(jnp.ones((500, size, size, 1)), KEY, at()) == 0)
    assert blank.any(axis=2).sum(axis=1).max() == side


def test_cutout_blanks_one_square_of_each_image():
    cut = DiffAugment(colour=False, translation=0.0, cutout=0.5)(IMAGES, KEY, at())
    changed = np.asarray((cut != IMAGES).any(-1))
    assert not np.asarray(cut)[changed].any()
    heights, widths = changed.any(2).sum(1), changed.any(1).sum(1)
    np.testing.assert_array_equal(changed.sum((1, 2)), heights * widths)
    assert heights.max() == 4 and widths.max() == 6
    assert heights.min() < 4  # reaches over the border


def test_colours_are_linear_in_the_image_and_keep_what_they_should():
    recoloured = np.asarray(DiffAugment(True, 0.0, 0.0)(IMAGES, KEY, at()))
    brightness = recoloured.mean((1, 2, 3)) - np.asarray(IMAGES).mean((1, 2, 3))
    assert np.abs(brightness).max() <= 0.5 + 1e-6 and np.abs(brightness).max() > 0.4
    grey = np.repeat(np.asarray(IMAGES)[..., :1], 3, axis=-1)
    of_grey = np.asarray(DiffAugment(True, 0.0, 0.0)(jnp.asarray(grey), KEY, at()))
    np.testing.assert_allclose(of_grey[..., 0], of_grey[..., 2], atol=1e-5)
    contrast = of_grey.std((1, 2, 3)) / grey.std((1, 2, 3))
    assert 0.5 <= contrast.min() < 0.6 and 1.4 < contrast.max() <= 1.5


def test_nothing_to_do_changes_nothing():
    np.testing.assert_array_equal(NOTHING(IMAGES, KEY, at()), IMAGES)


def test_gradients_reach_the_image_through_all_of_it():
    def total(images):
        return jnp.square(DiffAugment()(images, KEY, at())).sum()

    with jax.enable_x64(True):
        images = jnp.asarray(np.float64(IMAGES))
        step = 1e-3 * jax.random.normal(jax.random.key(2), images.shape, images.dtype)
        expected = (total(images + step) - total(images - step)) / 2
        found = (jax.grad(total)(images) * step).sum()
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_points_are_no_images():
    with pytest.raises(RequestError, match=r"DiffAugment takes images .*, not \[2\]"):
        DiffAugment()(jnp.zeros((3, 2)), KEY, at())


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_adaptive_augments_with_the_probability_of_the_state(probability):
    images = jnp.ones((2000, 4, 4, 1))
    shifted = Adaptive(DiffAugment(True, 0.0, 0.0))(images, KEY, at(probability=probability))
    share = float((shifted != images).any((1, 2, 3)).mean())
    assert share == pytest.approx(probability, abs=5 * (0.25 / 2000) ** 0.5)


def test_the_probability_follows_the_sign_of_real_logits():
    adaptive = Adaptive(target=0.6, images=1000)
    sure = logit_averages.start()._replace(
        sign_real=jnp.float32(0.9), augmentation=jnp.float32(0.5)
    )
    assert float(adaptive.next_probability(sure, 100)) == pytest.approx(0.6)
    unsure = sure._replace(sign_real=jnp.float32(0.1))
    assert float(adaptive.next_probability(unsure, 100)) == pytest.approx(0.4)
    assert float(adaptive.next_probability(unsure, 900)) == 0.0
    assert float(adaptive.next_probability(sure, 900)) == 1.0


def test_training_with_a_sure_discriminator_raises_the_probability():
    adaptive = Adaptive(InstanceNoise(0.1), target=-0.9, images=160)
    experiment = tiny_points(augmentations=(adaptive,))
    state = init(experiment, 0)
    batch = experiment.data.batch(0, 0, 16)
    for expected in (0.1, 0.2):
        state, _ = update(experiment, state, batch)
        assert float(state.statistics.augmentation) == pytest.approx(expected)


def test_instance_noise_fades():
    sample = jnp.zeros((5000, 2))
    noise = InstanceNoise(0.5, steps=100)
    for step, deviation in ((0, 0.5), (50, 0.25), (100, 0.0), (200, 0.0)):
        assert float(noise(sample, KEY, at(step)).std()) == pytest.approx(deviation, rel=0.05)
    assert float(InstanceNoise(0.5)(sample, KEY, at(10**6)).std()) == pytest.approx(0.5, rel=0.05)


def test_real_and_fake_are_augmented_alike_and_for_both_players():
    """A discriminator that is linear learns from augmented samples, the generator through them."""
    sgd = from_optax(optax.sgd, 1.0)
    experiment = tiny_points(
        discriminator=tiny_points().discriminator.clone(depth=0),
        augmentations=(doubled,),
        generator_optimizer=sgd,
        discriminator_optimizer=sgd,
    )
    plain = tiny_points(
        discriminator=experiment.discriminator,
        generator_optimizer=sgd,
        discriminator_optimizer=sgd,
    )
    state = init(experiment, 0)
    batch = experiment.data.batch(0, 0, 16)
    # Doubling every sample is doubling the kernel, for logits and for the generator's gradient.
    kernel = state.discriminator.params["Dense_0"]["kernel"]
    params = {"Dense_0": state.discriminator.params["Dense_0"] | {"kernel": 2 * kernel}}
    start = state.replace(discriminator=state.discriminator.replace(params=params))
    new, metrics = update(experiment, state, batch)
    expected, expected_metrics = update(plain, start, batch)
    for name, value in expected_metrics.items():
        if name != "gradient_norm_discriminator":
            assert float(metrics[name]) == pytest.approx(float(value), rel=1e-4)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
        new.generator.params,
        expected.generator.params,
    )
    moved = new.discriminator.params["Dense_0"]["kernel"] - kernel
    by_chain_rule = 2 * (expected.discriminator.params["Dense_0"]["kernel"] - 2 * kernel)
    np.testing.assert_allclose(moved, by_chain_rule, rtol=1e-3, atol=1e-6)


def test_penalties_see_the_augmented_discriminator():
    experiment = tiny_points(
        discriminator=tiny_points().discriminator.clone(depth=0),
        augmentations=(doubled,),
        penalties=(penalties.R1(2.0),),
    )
    state = init(experiment, 0)
    _, metrics = update(experiment, state, experiment.data.batch(0, 0, 16))
    kernel = state.discriminator.params["Dense_0"]["kernel"]
    expected = float(jnp.square(2 * kernel).sum())
    assert float(metrics["penalty_0_r1"]) == pytest.approx(expected, rel=1e-5)


def doubled(sample, key, state):
    """An augmentation of the user's own."""
    return 2 * sample


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: DiffAugment(translation=1.5), r"DiffAugment\.translation = 1\.5"),
        (lambda: GeometryAndColour(1.5), r"probability = 1\.5: must be in \[0, 1\]"),
        (lambda: GeometryAndColour("0.5"), r"no method build; give a number in \[0, 1\], or"),
        (
            lambda: GeometryAndColour(Schedule("linear", 9, end=1.1)),
            r"probability = Schedule\(.*must be in \[0, 1\]",
        ),
        (lambda: GeometryAndColour(geometry=-0.1), r"geometry = -0\.1: must be in \[0, 1\]"),
        (lambda: GeometryAndColour(cutout=2), r"cutout = 2: must be in \[0, 1\]"),
        (lambda: Adaptive(target=2.0), r"Adaptive\.target = 2\.0"),
        (lambda: Adaptive(Adaptive()), r"Adaptive\.augmentation is itself adaptive"),
        (lambda: Adaptive(DiffAugment), r"Adaptive\.augmentation .* parentheses"),
        (lambda: InstanceNoise(-1.0), r"InstanceNoise\.deviation = -1\.0"),
        (lambda: tiny(augmentations=(DiffAugment,)), r"augmentations\[0\] .* parentheses"),
        (lambda: tiny(augmentations=DiffAugment()), r"augmentations .* a tuple"),
        (lambda: tiny(augmentations=(Adaptive(), Adaptive())), r"one of them may be adaptive"),
    ],
)
def test_wrong_fields_are_refused(make, message):
    with pytest.raises(RequestError, match=message):
        make()


def test_each_transformation_happens_with_its_probability_and_in_its_range():
    """Closed forms of what eight independent choices leave of the affine map."""
    count, p = 20_000, 0.4
    maps = np.asarray(augmentation._inverse_map(KEY, (count, 32, 32, 3), jnp.float32(p)))
    # A flip is one of two, a quarter turn three of four; either shift, scaling, turn, stretching.
    unchanged = (1 - p / 2) * (1 - 3 * p / 4) * (1 - p) ** 5
    identity = np.abs(maps - np.eye(2, 3)).max((1, 2)) < 1e-6
    assert identity.mean() == pytest.approx(unchanged, abs=0.01)
    determinant = np.linalg.det(maps[:, :, :2])
    assert (determinant < 0).mean() == pytest.approx(p / 2, abs=0.02)
    area = np.log2(np.abs(determinant))  # only scaling changes it, by 2 * normal(0.2)
    assert (np.abs(area) > 1e-4).mean() == pytest.approx(p, abs=0.02)
    assert area.std() == pytest.approx(0.4 * p**0.5, rel=0.05)
    stretch = np.linalg.svd(maps[:, :, :2], compute_uv=False)
    ratio = np.log2(stretch[:, 0] / stretch[:, 1])
    assert (ratio > 1e-4).mean() == pytest.approx(p, abs=0.02)
    assert np.square(ratio).mean() == pytest.approx(p * 0.4**2, rel=0.1)
    always = np.asarray(augmentation._inverse_map(KEY, (count, 32, 32, 3), jnp.float32(1.0)))
    angles = np.arctan2(always[:, 1, 0], always[:, 1, 1])
    np.testing.assert_allclose(
        np.histogram(angles, 8, (-np.pi, np.pi))[0] / count, 1 / 8, atol=0.02
    )


def test_colours_change_luma_and_chroma_alike_in_all_pixels():
    changed = np.asarray(GeometryAndColour(geometry=0.0)(IMAGES, KEY, at()))
    images = np.asarray(IMAGES)

    def parts(images):
        luma = images.mean(-1)
        return luma, np.linalg.norm(images - luma[..., None], axis=-1)

    (luma, chroma), (new_luma, new_chroma) = parts(images), parts(changed)
    ratio = new_chroma / chroma
    np.testing.assert_allclose(ratio, ratio[:, :1, :1] * np.ones_like(ratio), rtol=1e-3)
    slopes = []
    for old, new in zip(luma, new_luma, strict=True):  # luma becomes slope * (luma + brightness)
        slope, offset = np.polyfit(old.ravel(), new.ravel(), 1)
        np.testing.assert_allclose(new, slope * old + offset, atol=1e-4)
        slopes.append(slope)
    slopes = np.array(slopes)
    assert 0.3 < (slopes < 0).mean() < 0.7  # inverted
    assert np.log2(np.abs(slopes)).std() == pytest.approx(0.5, rel=0.3)  # contrast
    saturation = ratio[:, 0, 0] / np.abs(slopes)
    assert np.log2(saturation).std() == pytest.approx(1.0, rel=0.3)


def test_hues_turn_and_stay_at_right_angles_to_grey():
    red = jnp.broadcast_to(jnp.array([1.0, 0.0, 0.0]), (500, 2, 2, 3))
    chroma = np.asarray(GeometryAndColour(geometry=0.0)(red, KEY, at()))[:, 0, 0]
    chroma = chroma - chroma.mean(-1, keepdims=True)
    axes = np.array([[2, -1, -1], [0, 1, -1]]) / np.array([[6**0.5], [2**0.5]])
    angles = np.arctan2(*(axes @ chroma.T)[::-1])
    np.testing.assert_allclose(np.histogram(angles, 4, (-np.pi, np.pi))[0] / 500, 1 / 4, atol=0.08)


def test_grey_images_change_as_grey_coloured_ones_do():
    augmented = GeometryAndColour(0.7, cutout=1.0)
    grey = augmented(IMAGES[..., :1], KEY, at())
    coloured = augmented(jnp.repeat(IMAGES[..., :1], 3, axis=-1), KEY, at())
    np.testing.assert_allclose(jnp.repeat(grey, 3, axis=-1), coloured, atol=1e-4)


@pytest.mark.parametrize("probability", [0.3, 1.0])
def test_a_quarter_of_the_area_is_cut_out_around_any_centre(probability):
    ones = jnp.ones((1000, 16, 16, 1))
    cut = np.asarray(GeometryAndColour(probability, 0.0, 0.0, 1.0)(ones, KEY, at()) == 0)[..., 0]
    happened = cut.any((1, 2))
    assert happened.mean() == pytest.approx(probability, abs=0.05)
    # Seven eighths of its side, on average: it reaches over a border half the time.
    assert cut[happened].any(1).sum(1).mean() == pytest.approx(16 / 2 * 7 / 8, rel=0.05)
    assert cut[happened].any(2).sum(1).mean() == pytest.approx(16 / 2 * 7 / 8, rel=0.05)


def test_the_probability_follows_its_schedule():
    rising = Schedule("linear", steps=10, start=0.0, end=1.0)
    ones = jnp.ones((1000, 4, 4, 1))
    augmented = GeometryAndColour(rising, 0.0, 0.0, 1.0)
    shares = [float((augmented(ones, KEY, at(s)) == 0).any((1, 2, 3)).mean()) for s in (0, 5, 10)]
    assert shares == [0.0, pytest.approx(0.5, abs=0.05), 1.0]
    unchanged = GeometryAndColour(rising, cutout=1.0)(IMAGES, KEY, at(0))
    np.testing.assert_allclose(unchanged, IMAGES, atol=1e-5)


def test_images_are_augmented_independently_of_the_rest_of_the_batch():
    augmented = GeometryAndColour(cutout=1.0)
    other = IMAGES.at[1:].set(0.0)
    np.testing.assert_array_equal(augmented(IMAGES, KEY, at())[0], augmented(other, KEY, at())[0])


@pytest.mark.parametrize("shape", [(2,), (8, 8, 2), (1, 8, 3)])
def test_what_it_cannot_augment_is_refused(shape):
    with pytest.raises(RequestError, match=rf"GeometryAndColour takes .*, not \[{shape[0]}"):
        GeometryAndColour()(jnp.zeros((3, *shape)), KEY, at())
