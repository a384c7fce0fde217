import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.ops.warping import warp

NOISE = jax.random.normal(jax.random.key(0), (2, 10, 12, 3))
HERE = jnp.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def warped(images, *rows):
    return np.asarray(warp(images, jnp.broadcast_to(jnp.array(rows), (len(images), 2, 3))))


def test_the_identity_reconstructs_any_image():
    """The filter is that of an orthogonal wavelet: what upsampling adds, downsampling removes."""
    np.testing.assert_allclose(warped(NOISE, *HERE), NOISE, atol=1e-5)


def test_a_shift_by_whole_pixels_reflects_at_the_border():
    down, right = 3, -2
    found = warped(NOISE, [1.0, 0.0, -right], [0.0, 1.0, -down])
    around = np.pad(NOISE, ((0, 0), (5, 5), (5, 5), (0, 0)), mode="reflect")
    expected = around[:, 5 - down : 15 - down, 5 - right : 17 - right]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_far_beyond_the_reflection_there_is_nothing():
    assert np.abs(warped(NOISE, [1.0, 0.0, 60.0], [0.0, 1.0, 0.0])).max() < 1e-5


def test_each_image_has_a_map_of_its_own():
    both = warp(NOISE, jnp.stack([HERE, HERE.at[0, 2].set(60.0)]))
    np.testing.assert_allclose(both[0], NOISE[0], atol=1e-5)
    assert float(jnp.abs(both[1]).max()) < 1e-5


@pytest.mark.parametrize(
    "rows",
    [
        ([-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]),
        ([0.0, -1.0, 0.0], [1.0, 0.0, 0.0]),
        ([0.8, -0.6, 0.7], [0.6, 0.8, -0.4]),
        ([0.5, 0.0, 0.0], [0.0, 1.0, 0.3]),
    ],
)
def test_a_smooth_image_is_taken_from_the_places_that_the_map_names(rows):
    def image(x, y):
        return np.sin(0.3 * x + 0.5) + np.cos(0.25 * y)

    x, y = np.meshgrid(np.arange(24) - 11.5, np.arange(20) - 9.5)
    found = warped(jnp.asarray(image(x, y)[None, ..., None], jnp.float32), *rows)[0, ..., 0]
    from_x, from_y = (row[0] * x + row[1] * y + row[2] for row in rows)
    inside = (np.abs(from_x) < 7) & (np.abs(from_y) < 5)
    assert inside.sum() > 50
    # The filter's phase is off by a twentieth of a pixel; half a pixel would make 0.15.
    np.testing.assert_allclose(found[inside], image(from_x, from_y)[inside], atol=0.04)


def test_gradients_of_any_order_reach_the_image():
    rows = jnp.broadcast_to(jnp.array([[0.8, -0.6, 0.7], [0.6, 0.8, -0.4]]), (2, 2, 3))

    def squared_slope(images):
        slope = jax.grad(lambda images: (warp(images, rows) ** 2).sum() / 2)(images)
        return (slope**2).sum() / 2

    # The map is linear: with matrix A the slope is A'A x, and the gradient of its square (A'A)^2 x.
    transposed = jax.linear_transpose(lambda images: warp(images, rows), NOISE)
    twice = NOISE
    for _ in range(2):
        (twice,) = transposed(warp(twice, rows))
    np.testing.assert_allclose(jax.grad(squared_slope)(NOISE), twice, rtol=1e-3, atol=1e-3)
