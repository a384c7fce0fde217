"""Mixtures of Gaussians: where their modes are, and that they meet the contract of data sets."""

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.data import grids, points
from gan_jax.features import NearestMode


def test_a_ring_has_its_modes_on_a_circle():
    ring = points.ring(modes=6, radius=3.0)
    assert len(set(ring.centres)) == 6
    assert [math.hypot(*centre) for centre in ring.centres] == pytest.approx([3.0] * 6)


def test_a_grid_is_centred():
    grid = points.grid(side=5)
    assert sorted({x for x, _ in grid.centres}) == [-4, -2, 0, 2, 4]
    assert len(set(grid.centres)) == 25
    assert np.mean(grid.centres, axis=0) == pytest.approx([0, 0])


def test_points_are_spread_as_stated_around_all_modes_equally():
    ring = dataclasses.replace(points.ring(deviation=0.02), count=80_000)
    sample = ring.load().sample
    assert (sample.shape, sample.dtype) == ((80_000, 2), np.float32)
    apart = sample[:, None] - np.array(ring.centres)
    distance = np.linalg.norm(apart, axis=-1)
    nearest = distance.argmin(1)
    # Binomial: standard deviation 94 of 10,000.
    assert np.bincount(nearest) == pytest.approx(10_000, abs=500)
    assert apart[np.arange(80_000), nearest].std(0) == pytest.approx([0.02, 0.02], rel=0.02)


def test_held_out_points_are_others_and_what_is_drawn_is_always_the_same():
    ring = points.ring()
    assert ring.held_out().centres == ring.centres
    assert ring.held_out().fingerprint() != ring.fingerprint()
    assert points.ring().fingerprint() == ring.fingerprint()
    first, other = (map(tuple, of.load().sample[:1000]) for of in (ring, ring.held_out()))
    assert set(first).isdisjoint(other)


def test_batches_are_the_points_that_the_order_says():
    ring = points.ring()
    batch = ring.batch(seed=3, step=5, batch_size=7)
    expected = ring.load().sample[ring.indices(3, 5, 7)]
    np.testing.assert_array_equal(batch["sample"], expected)
    assert batch["condition"] is None


def test_a_page_shows_points_where_they_are():
    square = points.Mixture(((1.0, 1.0), (-1.0, -1.0)), deviation=0.0, count=10)
    page = square.page(np.array([[1.0, 1.0], [1.0, -1.0], [50.0, 0.0], [math.nan, 0.0]]))
    assert page.shape == (points.PIXELS, points.PIXELS, 1)
    far = round(points.PIXELS / 2 * (1 + 1 / (points.MARGIN * math.sqrt(2)))) - points.DOT // 2
    right_or_top = {far, far + 1}
    left_or_bottom = {points.PIXELS - 1 - place for place in right_or_top}
    shown = {
        shade: {tuple(place) for place in np.argwhere(page[..., 0] == shade)} for shade in (0, 200)
    }
    top_right = set(itertools.product(left_or_bottom, right_or_top))  # rows count from the top
    bottom_right = set(itertools.product(right_or_top, right_or_top))
    bottom_left = set(itertools.product(right_or_top, left_or_bottom))
    assert shown == {0: top_right | bottom_right, 200: bottom_left}


def test_points_at_the_edge_of_a_page_are_whole_or_not_there():
    reach = points.MARGIN
    mixture = points.Mixture(((1.0, 0.0),), deviation=0.0, count=1)
    for x, y in itertools.product(np.linspace(-1.01, 1.01, 400) * reach, (-reach, 0.0, reach)):
        dark = (mixture.page(np.array([[x, y]])) == 0).sum()
        assert dark in (0, points.DOT**2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: points.ring(modes=0), "modes = 0"),
        (lambda: points.grid(side=0), "side = 0"),
        (lambda: points.Mixture((), 0.1), "must be points"),
        (lambda: points.Mixture(((1.0, 2.0, 3.0),), 0.1), "must be points"),
        (lambda: points.Mixture(((0.0, 0.0),), -0.1), "deviation = -0.1"),
        (lambda: points.ring().read([Path("a.png")]), "come in no files"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(RequestError, match=message):
        make()


def test_points_are_stored_as_they_are_and_a_page_is_one_cell(tmp_path):
    ring = points.ring()
    drawn = ring.load().sample[:7]
    assert ring.to_stored(drawn) is drawn
    assert (drawn.shape[1:], drawn.dtype) == (ring.stored.shape, ring.stored.dtype)
    page = ring.page(drawn)
    np.testing.assert_array_equal(ring.cells(page, 8), [page])
    ring.write([drawn[:3], drawn[3:]], tmp_path / "page.png")
    np.testing.assert_array_equal(grids.read_png(tmp_path / "page.png"), page)
    with pytest.raises(RequestError, match=r"folder: must end in \.png$"):
        ring.write([drawn], tmp_path / "folder")


def test_points_come_with_their_modes_as_features():
    ring = points.ring(deviation=0.1)
    assert ring.features() == NearestMode(ring.centres, points.GOOD_DEVIATIONS * 0.1)
