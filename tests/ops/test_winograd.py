"""Every contraction of tiles against the definition, in one part and in several."""

import math

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_jax.ops import winograd
from gan_jax.ops.geometry import convolution, mirrored, transposed_convolution
from tests.ops.trilinear import operands, trilinear

GEOMETRIES = st.builds(
    lambda family, size, kernel: family(size, kernel, 1),
    st.sampled_from([convolution, transposed_convolution]),
    st.tuples(st.integers(1, 11), st.integers(1, 11)),
    st.tuples(st.integers(1, 10), st.integers(1, 10)),
)
SOME = [
    convolution((9, 6), (3, 3), 1),
    convolution((12, 1), (5, 1), 1),
    transposed_convolution((5, 3), (4, 2), 1),
    convolution((9, 1), (7, 1), 1),
    transposed_convolution((6, 9), (9, 6), 1),
]


def assert_equals_the_definition(geometry):
    fine, filters, coarse = operands(geometry)
    expected = trilinear(geometry, fine, filters, coarse)
    with jax.enable_x64(True):
        measured = (
            winograd.down(geometry, fine, filters),
            winograd.up(geometry, coarse, filters),
            winograd.filter_gradient(geometry, fine, coarse),
        )
        for one, two in zip(measured, expected, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("part_bytes", [0, pytest.param(4e6, marks=pytest.mark.slow)])
@pytest.mark.parametrize("geometry", SOME, ids=str)
def test_contractions_equal_their_definition(geometry, part_bytes, monkeypatch):
    monkeypatch.setattr(winograd, "PART_BYTES", part_bytes)
    assert_equals_the_definition(geometry)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(GEOMETRIES)
def test_contractions_of_any_shape_equal_their_definition(geometry):
    assert_equals_the_definition(geometry)


@pytest.mark.parametrize("kernel", [(3, 3), (winograd.MOST_TAPS,) * 2, (7, 1)])
def test_single_precision_is_kept(kernel):
    geometry = convolution((16, 16), kernel, 1)
    random = np.random.default_rng(0)
    fine, coarse = random.normal(size=(2, 4, 16, 16, 32))
    filters = random.normal(size=(*kernel, 32, 32))
    for contract, operands_ in (
        (winograd.down, (fine, filters)),
        (winograd.up, (coarse, filters)),
        (winograd.filter_gradient, (fine, coarse)),
    ):
        with jax.enable_x64(True):
            exact = np.asarray(contract(geometry, *operands_))
        single = contract(geometry, *map(np.float32, operands_))
        assert single.dtype == np.float32
        assert np.abs(single - exact).max() < 1e-5 * np.abs(exact).max()


@pytest.mark.parametrize("taps", range(1, winograd.MOST_TAPS + 1))
@pytest.mark.parametrize("tile", range(1, winograd.TILE + 1))
def test_a_tile_takes_a_product_for_each_fine_position(tile, taps):
    assert len(winograd._axis(tile, taps).fine) == tile + taps - 1


def test_parts_are_as_few_as_fit():
    geometry = convolution((32, 32), (3, 3), 1)
    size = 4 * 36 * 64 * 64  # bytes of the spectrum of one map of 64 channels, in 8 x 8 tiles
    for batch in (1, 6, 64):
        parts = winograd._parts(geometry, batch, 64, 64)
        assert batch % parts == 0
        assert size * batch / parts <= winograd.PART_BYTES
    assert winograd._parts(geometry, 6, 64, 64) == 1
    assert winograd._parts(geometry, 64, 64, 64) == 16


def test_other_geometries_are_left_to_others():
    for kernel, stride in (((3, 3), 2), ((1, 1), 1), ((6, 6), 1), ((17, 1), 1)):
        geometry = convolution((8, 8), kernel, stride)
        assert winograd.cost(geometry, 4, 3, 2) == winograd.cost_up(geometry, 4, 3, 2) == math.inf
    for kernel in ((5, 5), (7, 2), (1, 7), (16, 1)):
        assert winograd.cost(convolution((8, 8), kernel, 1), 4, 3, 2) < math.inf


def test_blocks_of_a_long_kernel_share_the_transform_of_the_fine_map(monkeypatch):
    transformed = []
    spectrum = winograd._spectrum
    monkeypatch.setattr(
        winograd, "_spectrum", lambda *given: transformed.append(given[3]) or spectrum(*given)
    )
    winograd._fine_spectrum(convolution((16, 1), (7, 1), 1), np.zeros((2, 16, 1, 3), np.float32))
    assert transformed == [(5, 1)]  # one more tile than there are, for the second block


def test_copies_for_blocks_count_in_the_size_of_a_part():
    geometry = convolution((512, 1), (7, 1), 1)
    size = 4 * 7 * 128  # bytes of the spectrum of a map of one channel
    assert winograd._parts(geometry, 16, 32, 64) == -(-size * 16 * 64 // winograd.PART_BYTES) == 1
    assert winograd._parts(geometry, 16, 64, 32) == -(-size * 16 * 128 // winograd.PART_BYTES) == 2


@given(GEOMETRIES)
@settings(max_examples=20, deadline=None)
def test_a_transposed_convolution_is_one_of_the_mirrored_geometry(geometry):
    assert mirrored(mirrored(geometry)) == geometry
    fine, filters, coarse = operands(geometry)
    flipped = filters[::-1, ::-1].swapaxes(2, 3)
    convolved, *_ = trilinear(mirrored(geometry), coarse, flipped, fine)
    np.testing.assert_allclose(convolved, trilinear(geometry, fine, filters, coarse)[1], atol=1e-12)
