"""Short-time Fourier transforms, of NumPy and JAX arrays alike.

Frame t of a waveform of `length` samples is centred at sample (t + 1/2) * hop, so that length / hop
frames cover it; beyond its ends it is taken to be 0. The frames are weighted with a periodic Hann
window. `jax.scipy.signal.stft` takes JAX arrays only, and centres frames at multiples of hop.
"""

from typing import Any

import numpy as np

Array = Any  # of NumPy or JAX


def transform(waveforms: Array, window: int, hop: int) -> Array:
    """Returns the spectra of waveforms.

    Args:
        waveforms: floating, [..., length]; hop divides length, and 2 * hop divides window.
        window: samples of a frame.
        hop: samples from the start of one frame to the start of the next.

    Returns:
        Complex [..., length / hop, window / 2 + 1].
    """
    xp = waveforms.__array_namespace__()
    frames, of_window = waveforms.shape[-1] // hop, window // hop
    before = (window - hop) // 2
    padding = [(0, 0)] * (waveforms.ndim - 1) + [(before, window - hop - before)]
    pieces = xp.pad(waveforms, padding).reshape(*waveforms.shape[:-1], -1, hop)
    parts = [pieces[..., i : i + frames, :] for i in range(of_window)]
    return xp.fft.rfft(xp.concatenate(parts, axis=-1) * _hann(window))


def inverse(spectra: Array, window: int, hop: int) -> Array:
    """Returns the waveforms whose spectra are the nearest, by least squares.

    Griffin and Lim (1984), equation 6.

    Args:
        spectra: complex [..., frames, window / 2 + 1].
        window: samples of a frame, as in `transform`.
        hop: samples from the start of one frame to the start of the next.

    Returns:
        Floating [..., frames * hop].
    """
    xp = spectra.__array_namespace__()
    frames, of_window = spectra.shape[-2], window // hop
    weighted = xp.fft.irfft(spectra, n=window) * _hann(window)
    parts = weighted.reshape(*spectra.shape[:-1], of_window, hop)
    weights = np.broadcast_to((_hann(window) ** 2).reshape(of_window, hop), parts.shape[-3:])
    added, weight = _overlapped(xp, parts), _overlapped(np, weights)
    waveforms = (added / np.maximum(weight, 1e-6)).reshape(*spectra.shape[:-2], -1)
    before = (window - hop) // 2
    return waveforms[..., before : before + frames * hop]


def _hann(window: int) -> np.ndarray:
    return np.hanning(window + 1)[:-1].astype(np.float32)


def _overlapped(xp: Any, parts: Array) -> Array:
    """Adds up pieces, [..., frames, pieces, hop] -> [..., frames + pieces - 1, hop]."""
    pieces, lead = parts.shape[-2], [(0, 0)] * (parts.ndim - 3)
    return sum(
        xp.pad(parts[..., i, :], [*lead, (i, pieces - 1 - i), (0, 0)]) for i in range(pieces)
    )
