"""The residual networks of Gulrajani et al. (2017) for sequences of tokens.

Both players are five residual blocks of one-dimensional convolutions. The generator ends in a
softmax over the symbols at each position, and the critic takes these probabilities as they are: no
symbol is drawn, so that the gradient passes. Meant for `losses.Wasserstein` with
`penalties.GradientPenalty`, whose interpolates are mixtures of one-hot vectors and probabilities.
"""

from typing import Any

import flax.linen as nn
from jaxtyping import Array, Float

from gan_jax.common.validation import check_bounds, check_types
from gan_jax.networks.conditions import check_condition
from gan_jax.networks.layers import Conv1d, relu_glorot

BLOCKS, KERNEL, RESIDUAL = 5, 5, 0.3  # as published


class Generator(nn.Module):
    """Latent -> Dense -> residual blocks -> probabilities of the symbols at each position.

    Attributes:
        vocabulary: number of symbols, that of the data.
        length: tokens of a sample, that of the data.
        width: channels of every block; 512 as published.
    """

    vocabulary: int
    length: int = 32
    width: int = 64

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "vocabulary length width", at_least=1)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, latent: Float[Array, "batch latent"], condition: Any = None, *, training: bool
    ) -> Float[Array, "batch length vocabulary"]:
        """Maps latents to probabilities; the same in training and inference.

        Raises:
            RequestError: there are labels; this generator is unconditional.
        """
        check_condition(condition, classes=0)
        x = _dense(self.length * self.width)(latent).reshape(-1, self.length, self.width)
        for _ in range(BLOCKS):
            x = _block(x)
        return nn.softmax(_dense(self.vocabulary)(x))


class Discriminator(nn.Module):
    """Probabilities of the symbols at each position -> residual blocks -> Dense -> logit.

    Attributes:
        width: channels of every block; 512 as published.
    """

    width: int = 64

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "width", at_least=1)
        super().__post_init__()

    @nn.compact
    def __call__(
        self,
        sample: Float[Array, "batch length vocabulary"],
        condition: Any = None,
        *,
        training: bool,
    ) -> Float[Array, " batch"]:
        """Maps one-hot vectors or probabilities to logits; the same in training and inference.

        Raises:
            RequestError: there are labels; this discriminator is unconditional.
        """
        check_condition(condition, classes=0)
        x = _dense(self.width)(sample)
        for _ in range(BLOCKS):
            x = _block(x)
        return _dense(1)(x.reshape(len(x), -1))[:, 0]


def _block(x: Float[Array, "batch length width"]) -> Float[Array, "batch length width"]:
    """Adds a part of what two convolutions make of a sequence."""
    y = x
    for _ in range(2):
        y = Conv1d(x.shape[-1], KERNEL, kernel_init=relu_glorot)(nn.relu(y))
    return x + RESIDUAL * y


def _dense(features: int) -> nn.Dense:
    """A layer at each position, which is a convolution of kernel 1."""
    return nn.Dense(features, kernel_init=nn.initializers.glorot_uniform())
