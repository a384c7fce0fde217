"""WaveGAN: the DCGAN of sound (Donahue et al., 2019).

Layers have kernels of 25 taps and strides of 4, and there is no normalisation. Initialisers of
kernels and biases are Keras's, as in the authors' code.
"""

import functools
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.networks.conditions import check_condition, one_hot
from gan_jax.networks.layers import Conv1d, ConvTranspose1d, UpsampledConv1d

LAYERS, TAPS, STRIDE = 5, 25, 4
COARSEST = STRIDE**LAYERS  # samples for each position of the shortest sequence

Dense = functools.partial(nn.Dense, kernel_init=nn.initializers.glorot_uniform())


class Generator(nn.Module):
    """Latent -> Dense -> five layers, each of which makes the sequence 4 times as long -> waveform.

    Donahue et al. (2019), and with labels as Mirza and Osindero (2014): they are appended to the
    latent.

    Attributes:
        width: channels of the last hidden layer, those before it have 2, 4, 8 and 16 times as many;
            64 as published.
        length: samples of a waveform, a multiple of 1,024; 16,384 as published.
        upsampling: "zeros" is by transposed convolutions, as published; "nearest" repeats each
            position before a convolution, which avoids the artefacts of period 4 of the former.
        classes: number of classes; 0 is unconditional.
    """

    width: int = 64
    length: int = 16384
    upsampling: Literal["zeros", "nearest"] = "zeros"
    classes: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "width", at_least=1)
        check_bounds(self, "classes", at_least=0)
        if self.length < COARSEST or self.length % COARSEST:
            raise RequestError(f"Generator.length = {self.length}: must be a multiple of 1,024")
        super().__post_init__()

    @nn.compact
    def __call__(
        self, latent: Float[Array, "batch latent"], condition: Any = None, *, training: bool
    ) -> Float[Array, "batch length 1"]:
        """Maps latents, and labels if any, to waveforms in [-1, 1]; the same in training."""
        check_condition(condition, self.classes)
        if self.classes:
            label = one_hot(condition, self.classes, latent.dtype)
            latent = jnp.concatenate([latent, label], axis=-1)
        longer = ConvTranspose1d if self.upsampling == "zeros" else UpsampledConv1d
        start, widest = self.length // COARSEST, 2 ** (LAYERS - 1) * self.width
        x = nn.relu(Dense(start * widest)(latent).reshape(-1, start, widest))
        for layer in range(1, LAYERS):
            x = nn.relu(longer(widest // 2**layer, TAPS, STRIDE)(x))
        return nn.tanh(longer(1, TAPS, STRIDE)(x))


class Discriminator(nn.Module):
    """Waveform -> five layers, each of which makes the sequence 4 times as short -> logit.

    Donahue et al. (2019).

    Attributes:
        width: channels of the first layer, those after it have 2, 4, 8 and 16 times as many; 64 as
            published.
        phase_shuffle: by how many positions the sequences between layers are shifted in training,
            to the left or right, so that no layer can tell samples by the phase of an artefact; 2
            as published, 0 is off.
        classes: number of classes; 0 is unconditional.
        condition_by: how labels enter: "concatenation" appends a constant channel for each class to
            the waveform (Mirza and Osindero, 2014); "projection" adds the inner product of the
            embedded label and the features, summed over positions, to the logit (Miyato and Koyama,
            2018, equation 5).
    """

    width: int = 64
    phase_shuffle: int = 2
    classes: int = 0
    condition_by: Literal["concatenation", "projection"] = "projection"

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "width", at_least=1)
        check_bounds(self, "phase_shuffle classes", at_least=0)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, sample: Float[Array, "batch time channels"], condition: Any = None, *, training: bool
    ) -> Float[Array, " batch"]:
        """Maps waveforms in [-1, 1], and labels if any, to logits."""
        check_condition(condition, self.classes)
        x = sample
        if self.classes and self.condition_by == "concatenation":
            label = one_hot(condition, self.classes, x.dtype)[:, None]
            label = jnp.broadcast_to(label, (*x.shape[:2], self.classes))
            x = jnp.concatenate([x, label], axis=-1)
        for layer in range(LAYERS):
            x = nn.leaky_relu(Conv1d(2**layer * self.width, TAPS, STRIDE)(x), 0.2)
            if training and self.phase_shuffle and layer < LAYERS - 1:
                x = shuffle_phase(x, self.phase_shuffle, self.make_rng("dropout"))
        logits = Dense(1)(x.reshape(len(x), -1))[:, 0]
        if self.classes and self.condition_by == "projection":
            embedded = nn.Embed(self.classes, x.shape[-1], dtype=x.dtype)(condition)
            logits = logits + jnp.sum(embedded * x.sum(axis=1), axis=-1)
        return logits


def shuffle_phase(
    x: Float[Array, "batch time channels"], most: int, key: Array
) -> Float[Array, "batch time channels"]:
    """Shifts sequences by a random number of positions, the same for all of them.

    Phase shuffle (Donahue et al., 2019): what the shift leaves free is filled by reflection.

    Args:
        x: of more than `most` positions.
        most: positions of the longest shift; all shifts from -most to most are equally likely.
        key: of the draw.
    """
    shift = jax.random.randint(key, (), -most, most + 1)
    padded = jnp.pad(x, ((0, 0), (most, most), (0, 0)), mode="reflect")
    return lax.dynamic_slice_in_dim(padded, most - shift, x.shape[1], axis=1)
