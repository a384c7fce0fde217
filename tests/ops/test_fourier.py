"""Every contraction in the Fourier domain against the definition, and the claims of its cost."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings

from gan_jax.ops import fourier
from gan_jax.ops.geometry import convolution
from tests.ops.trilinear import GEOMETRIES, operands, trilinear


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(GEOMETRIES)
def test_contractions_equal_their_definition(geometry):
    fine, filters, coarse = operands(geometry)
    expected = trilinear(geometry, fine, filters, coarse)
    with jax.enable_x64(True):
        measured = (
            fourier.down(geometry, fine, filters),
            fourier.up(geometry, coarse, filters),
            fourier.filter_gradient(geometry, fine, coarse),
        )
        for one, two in zip(measured, expected, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    "size, kernel, stride, products",
    [
        ((7, 7), 5, 1, 1 + 3 * 40),  # period 9: one real frequency, 40 conjugate pairs
        ((14, 14), 5, 2, 4 + 3 * 30),  # two phases an axis, period 8: four real frequencies
        ((1, 1), 5, 1, 1),  # one position meets one tap
    ],
)
def test_number_of_products(size, kernel, stride, products):
    geometry = convolution(size, (kernel, kernel), stride)
    # One channel: besides the products, each spectrum is made once and moved once.
    taps, phases, positions = kernel**2, stride**2, np.prod(geometry.coarse)
    transforms = 100 * positions * (phases + 1) + taps * phases
    each = transforms + 100 * phases + 32 * (100 * (phases + 1) + phases)
    assert fourier.cost(geometry, 100, 1, 1) == products * each
