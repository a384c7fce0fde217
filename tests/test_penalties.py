import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax import augmentation, logit_averages, penalties
from gan_jax.common.errors import RequestError
from gan_jax.networks import dcgan
from gan_jax.optimizers import Schedule, from_optax
from gan_jax.training.preflight import check_shapes
from tests.tiny import init, tiny, update

KEY = jax.random.key(0)


@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 2)])
def test_r1_of_a_linear_discriminator_is_the_squared_norm_of_its_weights(shape):
    weights = jax.random.normal(KEY, shape)
    real = jax.random.normal(jax.random.key(1), (6, *shape))
    axes = tuple(range(1, real.ndim))
    value = penalties.R1(gamma=3.0)(lambda x: (x * weights).sum(axes), real, real, KEY)
    np.testing.assert_allclose(value, np.full(6, 1.5 * np.sum(np.square(weights))), rtol=1e-5)


def test_r1_of_a_quadratic_discriminator_depends_on_each_real_example():
    real = jnp.array([[1.0, 2.0], [0.0, -3.0]])
    value = penalties.R1(gamma=2.0)(lambda x: 0.5 * (x**2).sum(1), real, real + 1, KEY)
    np.testing.assert_allclose(value, [5.0, 9.0], rtol=1e-6)


def test_r1_differentiates_with_respect_to_the_discriminator():
    real = jnp.ones((1, 3))

    def penalty(weights):
        return penalties.R1(gamma=1.0)(lambda x: x @ weights, real, real, KEY).sum()

    weights = jnp.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(jax.grad(penalty)(weights), weights, rtol=1e-6)


@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 2)])
@pytest.mark.parametrize("kind", [penalties.GradientPenalty, penalties.Dragan])
def test_slopes_of_a_linear_critic_are_exact(kind, shape):
    weights = jax.random.normal(KEY, shape)
    real, fake = jax.random.normal(jax.random.key(1), (2, 6, *shape))
    axes = tuple(range(1, real.ndim))
    value = kind(gamma=3.0)(lambda x: (x * weights).sum(axes), real, fake, KEY)
    expected = 3 * (jnp.linalg.norm(weights.ravel()) - 1) ** 2
    np.testing.assert_allclose(value, np.full(6, expected), rtol=1e-4)


def test_r2_is_r1_at_the_fakes():
    real, fake = jax.random.normal(KEY, (2, 4, 3))

    def logits(x):
        return jnp.sin(x).sum(1)

    expected = penalties.R1(2.0)(logits, fake, real, KEY)
    np.testing.assert_array_equal(penalties.R2(2.0)(logits, real, fake, KEY), expected)


def test_the_gradient_penalty_looks_between_each_real_example_and_its_fake():
    """The slope of |x|^2 / 2 is |x|: it tells where on the line from 1 to 3 the point lies."""
    real, fake = jnp.ones((200, 1)), jnp.full((200, 1), 3.0)
    value = penalties.GradientPenalty(1.0)(lambda x: 0.5 * (x**2).sum(1), real, fake, KEY)
    places = 1 + np.sqrt(value)
    assert 1 <= places.min() < 1.1 and 2.9 < places.max() <= 3
    assert places.mean() == pytest.approx(2.0, abs=0.15)  # uniform: standard deviation 0.04


def test_one_place_on_the_line_for_the_whole_of_an_example():
    real = jnp.zeros((50, 2, 2, 1))
    fake = jnp.ones((50, 2, 2, 1))
    shares = penalties.GradientPenalty(1.0)(
        lambda x: 0.5 * jnp.square(x).sum((1, 2, 3)), real, fake, KEY
    )
    # At a fraction s of the line the slope is 2 s, whatever the fraction.
    share = (1 + np.sqrt(np.asarray(shares)) * np.array([[1], [-1]])) / 2
    alone = jax.random.uniform(KEY, (50, 1, 1, 1))[:, 0, 0, 0]
    assert np.abs(share - alone).min(0) == pytest.approx(0, abs=1e-3)


def test_dragan_looks_near_the_real_examples_only():
    real = jax.random.normal(KEY, (500, 1)) * 0.1 + 5
    value = penalties.Dragan(1.0)(lambda x: 0.5 * (x**2).sum(1), real, -real, KEY)
    moved = 1 + np.sqrt(value) - np.asarray(real)[:, 0]
    assert moved.min() >= -1e-4
    assert moved.max() <= 0.5 * float(real.std()) + 1e-4
    assert moved.mean() == pytest.approx(0.25 * 0.5 * 0.1, rel=0.2)


ALL = (penalties.R1, penalties.R2, penalties.GradientPenalty, penalties.Dragan)


@pytest.mark.parametrize("kind", ALL)
def test_gradients_are_those_of_finite_differences(kind):
    with jax.enable_x64(True):
        first, second, direction = (
            jax.random.normal(jax.random.key(n), (4, 4), jnp.float64) for n in range(3)
        )
        real, fake = jax.random.normal(jax.random.key(3), (2, 5, 4), jnp.float64)

        def total(weights):
            def logits(x):
                return jnp.tanh(x @ weights).sum(1) + jnp.sin(x @ second).sum(1)

            return kind(2.0)(logits, real, fake, KEY).sum()

        step = 1e-5
        ahead, behind = total(first + step * direction), total(first - step * direction)
        found = (jax.grad(total)(first) * direction).sum()
        np.testing.assert_allclose(found, (ahead - behind) / (2 * step), rtol=1e-6)


@pytest.mark.parametrize("kind", [penalties.GradientPenalty, penalties.Dragan])
def test_a_slope_of_zero_has_a_finite_gradient(kind):
    real = jnp.ones((3, 2))
    gradient = jax.grad(lambda w: kind(1.0)(lambda x: x @ w, real, real, KEY).sum())(jnp.zeros(2))
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("kind", ALL)
def test_negative_weight_is_refused(kind):
    with pytest.raises(RequestError, match=rf"{kind.__name__}\.gamma = -1"):
        kind(gamma=-1)


@pytest.mark.parametrize("kind", ALL)
def test_a_discriminator_with_batch_norm_is_refused_with_the_reason(kind):
    normalised = dcgan.Discriminator(width=2, hidden=3, batch_norm=True)
    experiment = tiny(discriminator=normalised, penalties=(kind(),))
    with pytest.raises(RequestError, match="BatchNorm makes it depend on the whole batch"):
        check_shapes(experiment)
    check_shapes(tiny(penalties=(kind(),)))


def after(step=0, real=0.0, fake=0.0):
    """A state as penalties see it."""
    held = logit_averages.start()._replace(
        logit_real=jnp.float32(real), logit_fake=jnp.float32(fake)
    )
    return types.SimpleNamespace(step=jnp.int32(step), statistics=held)


def test_lecam_measures_from_the_averages_of_the_other_kind():
    real, fake = jnp.array([[1.0], [2.0]]), jnp.array([[-1.0], [0.5]])
    state = after(real=3.0, fake=-2.0)
    value = penalties.LeCam(0.5)(lambda x: x[:, 0], real, fake, KEY, state)
    expected = [0.5 * ((1 + 2) ** 2 + (-1 - 3) ** 2), 0.5 * ((2 + 2) ** 2 + (0.5 - 3) ** 2)]
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def add_one(sample, key, state):
    return sample + 1


def test_consistency_is_the_squared_change_of_the_logit():
    """Of a linear discriminator it is what the weights make of the change, for each kind."""
    weights = jnp.array([2.0, -0.5])
    real, fake = jax.random.normal(KEY, (2, 4, 2))
    both = penalties.Consistency(add_one, real=3.0, fake=5.0)
    value = both(lambda x: x @ weights, real, fake, KEY, after())
    np.testing.assert_allclose(value, np.full(4, 8 * 1.5**2), rtol=1e-4)
    value = penalties.Consistency(add_one, real=3.0, fake=0.0)(
        lambda x: (x**2).sum(1), real, fake, KEY, after()
    )
    change = ((real + 1) ** 2 - real**2).sum(1)
    np.testing.assert_allclose(value, 3 * change**2, rtol=1e-4)


def test_consistency_draws_real_and_fake_augmentations_apart():
    def shifted(sample, key, state):
        return sample + jax.random.normal(key, sample.shape)

    real = jnp.zeros((5, 1))
    of_real, of_fake = (
        penalties.Consistency(shifted, *weights)(lambda x: x[:, 0], real, real, KEY, after())
        for weights in ((1.0, 0.0), (0.0, 1.0))
    )
    assert not np.isclose(of_real, of_fake).any()


@pytest.mark.parametrize("inner", [penalties.R1(2.0), penalties.LeCam(2.0)])
def test_a_lazy_penalty_has_the_same_mean_over_the_steps(inner):
    real, fake = jax.random.normal(KEY, (2, 5, 3))

    def logits(x):
        return jnp.sin(x).sum(1)

    lazy = penalties.Lazy(inner, every=4)
    values = np.array([lazy(logits, real, fake, KEY, after(step, 1.0)) for step in range(8)])
    extra = (after(0, 1.0),) if isinstance(inner, penalties.LeCam) else ()
    plain = inner(logits, real, fake, KEY, *extra)
    np.testing.assert_allclose(values[[3, 7]], 4 * np.stack([plain, plain]), rtol=1e-5)
    assert not values[[0, 1, 2, 4, 5, 6]].any()


def test_a_scheduled_penalty_changes_its_weight():
    real = jnp.ones((2, 3))
    falling = penalties.Scheduled(penalties.R1(2.0), Schedule("linear", steps=10))
    values = [
        float(falling(lambda x: 2 * x.sum(1), real, real, KEY, after(step))[0])
        for step in (0, 5, 10, 20)
    ]
    np.testing.assert_allclose(values, [12.0, 6.0, 0.0, 0.0], atol=1e-5)
    optax_schedule = from_optax(optax.constant_schedule, 0.5)
    nested = penalties.Lazy(penalties.Scheduled(penalties.R1(2.0), optax_schedule), every=3)
    value = nested(lambda x: 2 * x.sum(1), real, real, KEY, after(2))
    np.testing.assert_allclose(value, 18.0, rtol=1e-6)


def test_wrapped_penalties_still_need_single_examples():
    normalised = dcgan.Discriminator(width=2, hidden=3, batch_norm=True)
    lazy = penalties.Lazy(penalties.Scheduled(penalties.R1(), Schedule()))
    with pytest.raises(RequestError, match="R1 penalises the gradient"):
        check_shapes(tiny(discriminator=normalised, penalties=(lazy,)))
    check_shapes(tiny(discriminator=normalised, penalties=(penalties.LeCam(),)))


def test_gradients_of_penalties_with_a_state_are_those_of_finite_differences():
    with jax.enable_x64(True):
        first, direction = (
            jax.random.normal(jax.random.key(n), (4, 4), jnp.float64) for n in range(2)
        )
        real, fake = jax.random.normal(jax.random.key(3), (2, 5, 4), jnp.float64)
        all_of_them = (
            penalties.LeCam(2.0),
            penalties.Consistency(add_one),
            penalties.Lazy(penalties.R1(2.0), every=2),
        )
        for penalty in all_of_them:

            def total(weights, penalty=penalty):
                def logits(x):
                    return jnp.tanh(x @ weights).sum(1)

                return penalty(logits, real, fake, KEY, after(1, 0.5, -0.5)).sum()

            ahead, behind = (total(first + h * direction) for h in (1e-5, -1e-5))
            found = (jax.grad(total)(first) * direction).sum()
            np.testing.assert_allclose(found, (ahead - behind) / 2e-5, rtol=1e-6)


@pytest.mark.slow
def test_penalties_with_a_state_train():
    experiment = tiny(
        penalties=(
            penalties.LeCam(),
            penalties.Consistency(augmentation.DiffAugment()),
            penalties.Lazy(penalties.R1(), every=2),
        )
    )
    check_shapes(experiment)
    state = init(experiment, 0)
    batch = experiment.data.batch(0, 0, 16)
    lazy = []
    for _ in range(3):
        state, metrics = update(experiment, state, batch)
        assert metrics["penalty_0_lecam"] > 0 and metrics["penalty_1_consistency"] > 0
        lazy.append(float(metrics["penalty_2_lazy_r1"]))
    assert lazy[0] == 0 and lazy[1] > 0 and lazy[2] == 0


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: penalties.Lazy(penalties.R1(), every=0), r"Lazy\.every = 0"),
        (lambda: penalties.Lazy(penalties.R1), r"Lazy\.penalty .* parentheses"),
        (lambda: penalties.Scheduled(penalties.R1(), None), r"Scheduled\.schedule = None"),
        (lambda: penalties.LeCam(-1.0), r"LeCam\.gamma = -1"),
        (lambda: penalties.Consistency(add_one, fake=-1.0), r"Consistency\.fake = -1"),
        (lambda: penalties.Consistency(augmentation.Adaptive()), r"augmentation .* only"),
    ],
)
def test_wrong_fields_are_refused(make, message):
    with pytest.raises(RequestError, match=message):
        make()
