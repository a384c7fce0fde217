"""Waveforms from the magnitudes of their spectra, by the iteration of Griffin and Lim."""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from gan_jax.ops import stft

MOMENTUM = 0.99  # as Perraudin et al. recommend


@functools.partial(jax.jit, static_argnames=("window", "hop", "iterations"))
def waveforms(
    magnitudes: Float[Array, "count frames frequencies"],
    window: int,
    hop: int,
    iterations: int,
) -> Float[Array, "count length"]:
    """Returns waveforms whose spectra have nearly the given magnitudes.

    Griffin and Lim (1984) in the fast form of Perraudin et al. (2013), from random phases that are
    always the same, so that the result is a function of the magnitudes.

    Args:
        magnitudes: not negative, of window / 2 + 1 frequencies.
        window: samples of a frame, as in `stft.transform`.
        hop: samples from the start of one frame to the start of the next.
        iterations: how many; more come nearer.
    """
    phases = jax.random.uniform(jax.random.key(0), magnitudes.shape[1:], maxval=2 * jnp.pi)
    start = magnitudes * jnp.exp(1j * phases)

    def iterate(_, carry):
        ahead, before = carry
        unit = ahead / jnp.maximum(jnp.abs(ahead), 1e-8)
        found = stft.transform(stft.inverse(magnitudes * unit, window, hop), window, hop)
        return found + MOMENTUM * (found - before), found

    ahead, _ = lax.fori_loop(0, iterations, iterate, (start, jnp.zeros_like(start)))
    unit = ahead / jnp.maximum(jnp.abs(ahead), 1e-8)
    return stft.inverse(magnitudes * unit, window, hop)
