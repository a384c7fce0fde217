"""Short-time Fourier transforms against SciPy's, and waveforms from magnitudes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal

from gan_jax.ops import griffin_lim, stft

SIZES = [(128, 64), (256, 64), (64, 16), (32, 16)]
WAVEFORMS = np.random.default_rng(0).normal(size=(3, 512)).astype(np.float32)


@pytest.mark.parametrize(("window", "hop"), SIZES)
def test_spectra_are_those_of_scipy(window, hop):
    around = (window - hop) // 2
    padded = np.pad(WAVEFORMS, ((0, 0), (around, around)))
    weights = signal.windows.hann(window, sym=False)
    other = signal.ShortTimeFFT(weights, hop, fs=1, phase_shift=None)
    # SciPy's frames are centred at multiples of hop.
    expected = other.stft(padded, p0=0, p1=512 // hop + window // hop, k_offset=window // 2)
    expected = expected[..., : 512 // hop].swapaxes(-1, -2)
    found = stft.transform(WAVEFORMS, window, hop)
    assert found.shape == (3, 512 // hop, window // 2 + 1)
    np.testing.assert_allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize(("window", "hop"), SIZES)
def test_numpy_and_jax_agree(window, hop):
    found = stft.transform(jnp.asarray(WAVEFORMS), window, hop)
    assert isinstance(found, jax.Array)
    np.testing.assert_allclose(found, stft.transform(WAVEFORMS, window, hop), atol=2e-4)


@pytest.mark.parametrize(("window", "hop"), SIZES)
def test_the_inverse_is_exact_for_spectra_of_a_waveform(window, hop):
    spectra = stft.transform(WAVEFORMS, window, hop)
    np.testing.assert_allclose(stft.inverse(spectra, window, hop), WAVEFORMS, atol=1e-5)


def test_the_inverse_is_nearest_for_others():
    """Least squares: the difference is orthogonal to the spectra of all waveforms."""
    random = np.random.default_rng(1)
    spectra = (random.normal(size=(8, 33)) + 1j * random.normal(size=(8, 33))).astype(np.complex64)
    spectra[:, [0, -1]] = spectra[:, [0, -1]].real  # as in all real waveforms
    rest = spectra - stft.transform(stft.inverse(spectra, 64, 16), 64, 16)
    other = stft.transform(WAVEFORMS[0, :128], 64, 16)
    twice = np.r_[1, np.full(31, 2), 1]  # negative frequencies are not kept
    product = np.sum(twice * rest * other.conj()).real
    assert abs(product) < 1e-3 * np.linalg.norm(rest) * np.linalg.norm(other)


def test_waveforms_have_nearly_the_given_magnitudes():
    time = np.arange(4096) / 8000
    wave = np.sin(2 * np.pi * 440 * time) * np.hanning(4096) + 0.3 * np.sin(2 * np.pi * 1900 * time)
    magnitudes = np.abs(stft.transform(wave[None].astype(np.float32), 128, 64))
    errors = []
    for iterations in (5, 60):
        made = np.asarray(griffin_lim.waveforms(magnitudes, 128, 64, iterations))
        difference = np.abs(stft.transform(made, 128, 64)) - magnitudes
        errors.append(np.linalg.norm(difference) / np.linalg.norm(magnitudes))
    assert errors[1] < 0.5 * errors[0] and errors[1] < 0.06, errors
    both = griffin_lim.waveforms(np.concatenate([magnitudes, 0 * magnitudes]), 128, 64, 60)
    np.testing.assert_allclose(both[0], made[0], atol=1e-5)  # whatever else is made with it
    assert not np.any(both[1])
