import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.ops.resampling import BILINEAR, downsample, upsample

SKEWED = (0.5, 0.25, 0.125, -0.25, 0.375, 0.0)
X = jax.random.normal(jax.random.key(0), (2, 9, 6, 3))


def by_convolution(x, taps, up):
    """One channel after another, through XLA's convolution with zeros around the map."""
    kernel = np.outer(taps, taps)[:, :, None, None].astype(np.float32)
    before = len(taps) // 2 - 1
    options = {"window_strides": (2, 2), "padding": [(before, before)] * 2}
    if up:
        kernel, reach = 4 * kernel[::-1, ::-1], len(taps) // 2
        options = {
            "window_strides": (1, 1),
            "padding": [(reach, reach)] * 2,
            "lhs_dilation": (2, 2),
        }
    names = ("NHWC", "HWIO", "NHWC")
    channels = [
        jax.lax.conv_general_dilated(
            x[..., i, None], kernel, dimension_numbers=names, precision="highest", **options
        )
        for i in range(x.shape[-1])
    ]
    return jnp.concatenate(channels, axis=-1)


@pytest.mark.parametrize("taps", [BILINEAR, SKEWED])
def test_they_are_convolutions_with_zeros_around_the_map(taps):
    np.testing.assert_allclose(downsample(X, taps), by_convolution(X, taps, False), atol=1e-6)
    np.testing.assert_allclose(upsample(X, taps), by_convolution(X, taps, True), atol=1e-6)


def test_the_filter_darkens_the_borders_of_a_constant_map_and_nothing_else():
    ones = jnp.ones((1, 8, 8, 1))
    row = downsample(ones)[0, :, 1, 0]
    np.testing.assert_allclose(row, [7 / 8, 1, 1, 7 / 8], atol=1e-6)
    row = upsample(ones)[0, :, 5, 0]
    np.testing.assert_allclose(row, [3 / 4, *[1] * 14, 3 / 4], atol=1e-6)
    assert float(downsample(ones)[0, 0, 0, 0]) == pytest.approx((7 / 8) ** 2)


def test_stripes_of_one_pixel_vanish_away_from_the_borders():
    stripes = jnp.broadcast_to(((-1.0) ** jnp.arange(8))[None, :, None, None], (1, 8, 8, 1))
    assert float(jnp.abs(downsample(stripes)[0, 1:-1]).max()) < 1e-6


def test_one_is_four_times_the_adjoint_of_the_other():
    coarse = jax.random.normal(jax.random.key(1), (2, 4, 3, 3))
    fine = X[:, :8]
    product = (downsample(fine, SKEWED) * coarse).sum()
    assert float((fine * upsample(coarse, SKEWED)).sum()) == pytest.approx(
        4 * float(product), rel=1e-5
    )


def test_the_type_of_the_map_is_kept():
    half = X.astype(jnp.bfloat16)
    assert downsample(half).dtype == upsample(half).dtype == jnp.bfloat16
