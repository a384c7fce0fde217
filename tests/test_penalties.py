import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import penalties
from gan_jax.errors import RequestError
from gan_jax.networks import dcgan
from gan_jax.shapes import check_shapes
from tests.tiny import tiny

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
    # A point at share s of the line has the slope 2 s, whichever the share.
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
