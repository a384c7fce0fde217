"""Both contractions by patches against the definition."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings

from gan_jax.ops import patches
from gan_jax.ops.geometry import convolution
from tests.ops.trilinear import GEOMETRIES, operands, trilinear


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(GEOMETRIES)
def test_contractions_equal_their_definition(geometry):
    fine, filters, coarse = operands(geometry)
    _, up, gradient = trilinear(geometry, fine, filters, coarse)
    with jax.enable_x64(True):
        measured = jax.jit(patches.up, static_argnums=0)(geometry, coarse, filters)
        np.testing.assert_allclose(measured, up, rtol=1e-12, atol=1e-13)
        contract = jax.jit(patches.filter_gradient, static_argnums=0)
        measured = contract(geometry, fine, coarse)
        np.testing.assert_allclose(measured, gradient, rtol=1e-12, atol=1e-13)


def test_size_counts_the_numbers_that_the_patches_hold():
    geometry = convolution((28, 28), (5, 5), 2)
    made = jax.eval_shape(lambda x: patches._patches(geometry, x), np.zeros((4, 28, 28, 3)))
    assert patches.size(geometry, 4, 3) == made.size == 4 * 14 * 14 * 25 * 3
