"""Waveforms and spectrograms as samples, and the way back."""

import jax
import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.ops import stft
from gan_jax.ops.spectrograms import (
    FULL_SCALE,
    Spectrogram,
    Statistics,
    loudest,
    to_float,
    to_int16,
)

FORM = Spectrogram(window=32, hop=16)


def stored(count=6, length=256):
    time = np.arange(length)
    tones = [np.sin(time * (0.2 + 0.3 * tone)) * np.hanning(length) for tone in range(count)]
    return np.rint(np.array(tones) * 20000).astype(np.int16)[..., None]


def test_waveforms_come_back_exactly_and_are_clipped():
    given = np.array([[[-FULL_SCALE], [0], [1], [FULL_SCALE]]], np.int16)
    samples = to_float(given)
    assert samples.dtype == np.float32 and abs(samples).max() == 1
    np.testing.assert_array_equal(to_int16(samples), given)
    clipped = to_int16(2 * samples)
    np.testing.assert_array_equal(clipped[0, [0, 3]], given[0, [0, 3]])


def test_spectrograms_are_standardised_logarithms_of_magnitudes():
    given = stored()
    statistics = FORM.measure(given)
    waveforms = given[..., 0].astype(np.float64) / FULL_SCALE
    logarithms = np.log(np.abs(stft.transform(waveforms, 32, 16))[..., :-1] + 1e-2)
    np.testing.assert_allclose(statistics.mean, logarithms.mean((0, 1)), rtol=1e-4)
    np.testing.assert_allclose(statistics.deviation, logarithms.std((0, 1)), rtol=1e-3)
    samples = FORM.to_images(given, statistics)
    assert samples.shape == (6, *FORM.shape(256)) == (6, 16, 16, 1)
    expected = (logarithms - logarithms.mean((0, 1))) / (3 * logarithms.std((0, 1)))
    expected = expected.clip(-1, 1).swapaxes(1, 2)
    np.testing.assert_allclose(samples[..., 0], expected, atol=1e-4)
    compiled = jax.jit(lambda raw: FORM.to_images(raw, statistics))(given)
    np.testing.assert_allclose(compiled, samples, atol=1e-3)


def test_statistics_are_the_same_however_many_are_measured_together(monkeypatch):
    whole = FORM.measure(stored())
    monkeypatch.setattr("gan_jax.ops.spectrograms.AT_ONCE", 512)
    for one, two in zip(whole, FORM.measure(stored()), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5)


def test_waveforms_of_spectrograms_sound_alike(monkeypatch):
    """Their spectrograms are nearly those that they were made of."""
    given = stored()
    form = Spectrogram(window=64, hop=16, clip=6.0)
    statistics = form.measure(given)
    samples = form.to_images(given, statistics)
    monkeypatch.setattr("gan_jax.ops.spectrograms.AT_ONCE", 1024)
    back = form.to_waveforms(samples, statistics)
    assert back.shape == given.shape and back.dtype == np.int16
    found, expected = form.magnitudes_of(back), form.magnitudes_of(given)
    assert np.linalg.norm(found - expected) < 0.1 * np.linalg.norm(expected)
    np.testing.assert_allclose(form.magnitudes(samples, statistics), expected, atol=1e-2)


def test_a_frequency_that_never_changes_is_no_division_by_zero():
    statistics = Spectrogram(32, 16).measure(np.zeros((2, 64, 1), np.int16))
    assert (statistics.deviation > 0).all()
    samples = FORM.to_images(np.zeros((2, 64, 1), np.int16), statistics)
    assert np.isfinite(samples).all()


def test_the_loudest_part_is_found():
    waveform = np.zeros((2, 20), np.float32)
    waveform[0, 7:12] = 1
    waveform[1, 15:] = -1
    assert loudest(waveform, 5).tolist() == [7, 15]
    assert loudest(waveform, 20).tolist() == [0, 0]
    assert loudest(waveform[0], 1) == 7


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"window": 33}, "window = 33: must be a multiple of 2 . hop, 128"),
        ({"window": 96}, "Spectrogram.window = 96: must be a multiple of 2 . hop, 128"),
        ({"hop": 0}, "Spectrogram.hop = 0: must be at least 1"),
        ({"floor": 0.0}, "Spectrogram.floor = 0.0: must be above 0"),
        ({"window": 2, "hop": 1}, "Spectrogram.window = 2: must be at least 4"),
        ({"clip": 1e30}, "Spectrogram.clip = 1e.30: must be below 1000"),
        ({"clip": -1.0}, "Spectrogram.clip = -1.0: must be above 0"),
        ({"iterations": 0}, "Spectrogram.iterations = 0: must be at least 1"),
    ],
)
def test_wrong_fields_are_refused(fields, words):
    with pytest.raises(RequestError, match=words):
        Spectrogram(**fields)


def test_magnitudes_are_never_negative():
    statistics = Statistics(np.full(16, -9, np.float32), np.ones(16, np.float32))
    assert FORM.magnitudes(np.full((1, 16, 4, 1), -1, np.float32), statistics).min() == 0


def test_a_hop_that_does_not_divide_the_length_is_refused():
    with pytest.raises(RequestError, match=r"Spectrogram\.hop = 16: must divide the length, 100"):
        FORM.shape(100)
