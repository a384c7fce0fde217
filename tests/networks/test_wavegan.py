"""WaveGAN layer by layer against NumPy, phase shuffling, labels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.networks import wavegan

LATENTS = jnp.asarray(np.random.default_rng(0).normal(size=(2, 5)), jnp.float32)
WAVEFORMS = jnp.asarray(np.random.default_rng(1).normal(size=(2, 1024, 1)), jnp.float32)
LABELS = jnp.array([0, 2])


def drawn(module, *inputs):
    """Parameters with biases that are not zero."""
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    params = module.init(keys, *inputs, training=True)["params"]
    random = np.random.default_rng(2)
    return jax.tree.map(lambda leaf: leaf + random.normal(0, 0.05, leaf.shape), params)


def convolved(of, x, stride):
    """What each output position sees, with zeros beyond the ends."""
    kernel = np.asarray(of["kernel"], np.float64)
    taps, count = len(kernel), -(-x.shape[1] // stride)
    before = max((count - 1) * stride + taps - x.shape[1], 0) // 2
    padded = np.pad(x, ((0, 0), (before, taps), (0, 0)))
    windows = np.stack([padded[:, stride * t : stride * t + taps] for t in range(count)], axis=1)
    return np.einsum("btki,kio->bto", windows, kernel) + np.asarray(of["bias"])


def transposed(of, x):
    """Each position adds a scaled copy of the kernel; 10 positions in front are cut."""
    kernel = np.asarray(of["kernel"], np.float64)[::-1]
    y = np.zeros((len(x), 4 * x.shape[1] + 24, kernel.shape[2]))
    for position in range(x.shape[1]):
        y[:, 4 * position : 4 * position + 25] += np.einsum("bi,kio->bko", x[:, position], kernel)
    return y[:, 10 : 10 + 4 * x.shape[1]] + np.asarray(of["bias"])


@pytest.mark.parametrize("upsampling", ["zeros", "nearest"])
def test_the_generator_is_that_of_the_paper(upsampling):
    network = wavegan.Generator(width=2, length=2048, upsampling=upsampling)
    params = drawn(network, LATENTS)
    x = LATENTS @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"]
    x = np.maximum(x, 0).reshape(2, 2, 32).astype(np.float64)
    for layer in range(5):
        if upsampling == "zeros":
            x = transposed(params[f"ConvTranspose1d_{layer}"], x)
        else:
            x = convolved(params[f"UpsampledConv1d_{layer}"], np.repeat(x, 4, axis=1), 1)
        x = np.maximum(x, 0) if layer < 4 else np.tanh(x)
    found = network.apply({"params": params}, LATENTS, training=True)
    assert found.shape == (2, 2048, 1)
    np.testing.assert_allclose(found, x, atol=1e-5 * np.abs(x).max())


def test_the_discriminator_is_that_of_the_paper():
    network = wavegan.Discriminator(width=2)
    params = drawn(network, WAVEFORMS)
    x = np.asarray(WAVEFORMS, np.float64)
    for layer in range(5):
        x = convolved(params[f"Conv1d_{layer}"], x, 4)
        x = np.maximum(x, 0.2 * x)
    assert x.shape == (2, 1, 32)
    expected = x.reshape(2, -1) @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"]
    found = network.apply({"params": params}, WAVEFORMS, training=False)
    np.testing.assert_allclose(found, expected[:, 0], rtol=1e-5, atol=1e-5)


def test_parameters_are_as_many_as_in_the_tables():
    """With d = 64, and a bias for each channel."""
    kernels = 25 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 64)

    def count(network, shape):
        keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
        made = jax.eval_shape(lambda: network.init(keys, jnp.zeros((1, *shape)), training=True))
        return sum(leaf.size for leaf in jax.tree.leaves(made))

    of_generator = (100 + 1) * 256 * 64 + kernels + 25 * 64 + 512 + 256 + 128 + 64 + 1
    assert count(wavegan.Generator(), (100,)) == of_generator
    of_discriminator = 25 * 64 + kernels + 64 + 128 + 256 + 512 + 1024 + 256 * 64 + 1
    assert count(wavegan.Discriminator(), (16384, 1)) == of_discriminator


def test_phases_are_shuffled_by_one_shift_with_reflection():
    x = jnp.arange(6.0).reshape(1, 6, 1) * jnp.array([1.0, 10.0]).reshape(2, 1, 1)
    shifted = {
        -2: [2, 3, 4, 5, 4, 3],
        -1: [1, 2, 3, 4, 5, 4],
        0: [0, 1, 2, 3, 4, 5],
        1: [1, 0, 1, 2, 3, 4],
        2: [2, 1, 0, 1, 2, 3],
    }
    found = set()
    for seed in range(40):
        y = np.asarray(wavegan.shuffle_phase(x, 2, jax.random.key(seed)))[..., 0]
        (shift,) = [number for number, of in shifted.items() if y[0].tolist() == of]
        np.testing.assert_array_equal(y[1], 10 * y[0])
        found.add(shift)
    assert found == set(shifted)


def test_phases_are_shuffled_in_training_only():
    network = wavegan.Discriminator(width=2)
    params = {"params": drawn(network, WAVEFORMS)}

    def logits(seed):
        rngs = {"dropout": jax.random.key(seed)}
        return np.asarray(network.apply(params, WAVEFORMS, training=True, rngs=rngs))

    assert len({logits(seed).tobytes() for seed in range(4)}) > 1
    without = wavegan.Discriminator(width=2, phase_shuffle=0)
    np.testing.assert_array_equal(
        without.apply(params, WAVEFORMS, training=True),
        network.apply(params, WAVEFORMS, training=False),
    )


def test_projected_labels_add_an_inner_product_to_the_logit():
    network = wavegan.Discriminator(width=2, classes=3)
    params = drawn(network, WAVEFORMS, LABELS)
    without = {name: of for name, of in params.items() if name != "Embed_0"}
    plain = wavegan.Discriminator(width=2).apply({"params": without}, WAVEFORMS, training=False)
    x = np.asarray(WAVEFORMS, np.float64)
    for layer in range(5):
        x = convolved(params[f"Conv1d_{layer}"], x, 4)
        x = np.maximum(x, 0.2 * x)
    inner = np.sum(np.asarray(params["Embed_0"]["embedding"])[LABELS] * x.sum(1), axis=1)
    found = network.apply({"params": params}, WAVEFORMS, LABELS, training=False)
    np.testing.assert_allclose(found, plain + inner, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("condition_by", ["concatenation", "projection"])
def test_labels_change_what_both_players_return(condition_by):
    generator = wavegan.Generator(width=2, length=1024, classes=3)
    discriminator = wavegan.Discriminator(2, classes=3, condition_by=condition_by)
    params = drawn(generator, LATENTS, LABELS)
    one, two = (
        generator.apply({"params": params}, LATENTS, n + LABELS * 0, training=True) for n in (0, 1)
    )
    assert not np.allclose(one, two)
    params = drawn(discriminator, WAVEFORMS, LABELS)
    one, two = (
        discriminator.apply({"params": params}, WAVEFORMS, n + LABELS * 0, training=False)
        for n in (0, 1)
    )
    assert not np.allclose(one, two)
    for network, given in ((generator, LATENTS), (discriminator, WAVEFORMS)):
        with pytest.raises(RequestError, match="give the data labels=True"):
            network.init(jax.random.key(0), given, training=False)


@pytest.mark.parametrize("length", [0, 1000, 1025])
def test_other_lengths_are_refused(length):
    with pytest.raises(RequestError, match=f"length = {length}: must be a multiple of 1,024"):
        wavegan.Generator(length=length)
