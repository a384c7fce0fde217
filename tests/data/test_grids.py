"""Grids, film strips and PNG files."""

import numpy as np
import pytest

from gan_jax.data import grids


def numbered(count, height=3, width=4, channels=1):
    """Images, each of one grey: its number."""
    pixels = np.arange(count, dtype=np.uint8)[:, None, None, None]
    return np.broadcast_to(pixels, (count, height, width, channels)).copy()


def test_pixels_cover_the_range_and_round():
    values = np.array([-1.0, 1.0, 0.0, -2.0, 3.0, -1 + 2 / 255, -1 + 2.9 / 255])
    assert grids.to_pixels(values).tolist() == [0, 255, 128, 0, 255, 1, 1]


def test_pixels_invert_the_scaling_of_images():
    pixels = np.arange(256, dtype=np.uint8)
    assert (grids.to_pixels(pixels / 127.5 - 1) == pixels).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_grid_lays_out_row_by_row(channels):
    page = grids.grid(numbered(5, channels=channels), 2)
    assert page.shape == (3 * 3 + 2 * grids.GAP, 2 * 4 + grids.GAP, channels)
    cells = grids.cells(page, 2, (3, 4, channels))
    for number in range(5):
        assert (cells[number] == number).all()
    assert (cells[5:] == 255).all()
    assert (page[:, 4 : 4 + grids.GAP] == 255).all()


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 1), (3, 2), (9, 3), (16, 4)])
def test_a_grid_has_about_as_many_columns_as_rows(count, columns):
    images = numbered(count)
    np.testing.assert_array_equal(grids.grid(images), grids.grid(images, columns))


def test_film_strip_has_time_from_left_to_right():
    pages = [grids.grid(numbered(64) + 64 * time, 8) for time in range(3)]
    over_time = np.stack([grids.cells(page, 8, (3, 4, 1)) for page in pages])
    strip = grids.cells(grids.film_strip(over_time), 3, (3, 4, 1))
    assert len(strip) == 3 * grids.STRIP_ROWS
    for latent in range(grids.STRIP_ROWS):
        for time in range(3):
            assert (strip[latent * 3 + time] == latent + 64 * time).all()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("longest", ["7", "6000", "10000", "123456"])
def test_labels_stand_under_their_columns_and_do_not_touch(channels, longest):
    width = 28
    page = grids.grid(numbered(3, width, width, channels), 3)
    shown = grids.labelled(page, ["8", longest, ""])
    assert (shown[: len(page)] == page).all()
    ink = (shown[len(page) :] < 255).any(axis=(0, 2))
    step = width + grids.GAP
    first, second, third = ink[:step], ink[step : 2 * step], ink[2 * step :]
    assert first.any() and not third.any()
    middles = [np.flatnonzero(of).mean() for of in (first, second)]
    assert middles == pytest.approx([(width - 1) / 2] * 2, abs=1.5)
    assert not second[0] and not second[-1]


@pytest.mark.parametrize("channels", [1, 3])
def test_names_stand_to_the_left_of_their_rows(channels):
    height = 28
    page = grids.labelled(grids.grid(numbered(6, height, 8, channels), 2), ["0", "9"])
    names = ["cat", "", "a name that is much too long to be shown"]
    shown = grids.with_row_names(page, names, height)
    margin = shown.shape[1] - page.shape[1]
    assert (shown[:, margin:] == page).all()
    ink = (shown[:, :margin] < 255).any(axis=(1, 2))
    step = height + grids.GAP
    first, second, third = ink[:step], ink[step : 2 * step], ink[2 * step : 3 * step]
    assert np.flatnonzero(first).mean() == pytest.approx((height - 1) / 2, abs=2)
    assert third.any() and not second.any() and not ink[3 * step :].any()
    assert not (shown[:, [0, margin - 1]] < 255)[: 3 * step, ..., 0].any()  # nothing is cut off
    cut = [name if len(name) <= 16 else f"{name[:15]}…" for name in names]
    assert (grids.with_row_names(page, cut, height) == shown).all()
    low = grids.grid(numbered(6, 8, 8, channels), 2)
    assert grids.with_row_names(low, names, 8).shape[1] - low.shape[1] < margin  # a smaller font


@pytest.mark.parametrize("channels", [1, 3])
def test_png_keeps_every_pixel(tmp_path, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    grids.save_png(pixels, tmp_path / "x.png")
    np.testing.assert_array_equal(grids.read_png(tmp_path / "x.png"), pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]
