"""Multilayer perceptrons for points: dense layers with ReLU, for toy data of known density."""

from typing import Any

import flax.linen as nn
from jaxtyping import Array, Float

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types


class Generator(nn.Module):
    """Latent -> hidden layers -> point.

    Attributes:
        width: units of each hidden layer, at least 1.
        depth: number of hidden layers.
        dimensions: coordinates of a point, at least 1.
    """

    width: int = 128
    depth: int = 2
    dimensions: int = 2

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "width dimensions", at_least=1)
        check_bounds(self, "depth", at_least=0)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, latent: Float[Array, "batch latent"], condition: Any = None, *, training: bool
    ) -> Float[Array, "batch dimensions"]:
        """Maps latents to points; the same in training and inference.

        Raises:
            RequestError: there are labels; this generator is unconditional.
        """
        _refuse(condition)
        return nn.Dense(self.dimensions)(_hidden(latent, self.width, self.depth))


class Discriminator(nn.Module):
    """Point -> hidden layers -> logit.

    Attributes:
        width: units of each hidden layer, at least 1.
        depth: number of hidden layers.
    """

    width: int = 128
    depth: int = 2

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "width", at_least=1)
        check_bounds(self, "depth", at_least=0)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, sample: Float[Array, "batch dimensions"], condition: Any = None, *, training: bool
    ) -> Float[Array, " batch"]:
        """Maps points to logits; the same in training and inference.

        Raises:
            RequestError: there are labels; this discriminator is unconditional.
        """
        _refuse(condition)
        return nn.Dense(1)(_hidden(sample, self.width, self.depth))[:, 0]


def _hidden(x: Array, width: int, depth: int) -> Array:
    for _ in range(depth):
        x = nn.relu(nn.Dense(width, kernel_init=nn.initializers.he_normal())(x))
    return x


def _refuse(condition: Any) -> None:
    if condition is not None:
        raise RequestError("the perceptron takes no condition: give the data labels=False")
