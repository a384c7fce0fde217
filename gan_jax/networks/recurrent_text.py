"""A generator that writes one symbol after the other, and draws each of them.

Samples are one-hot vectors, as examples are, so that no discriminator can tell them apart by that.
Meant for `gan_jax.networks.text.Discriminator` and `losses.RelativisticPairing` with `penalties.R1`
and `R2`.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gan_jax.common.errors import RequestError
from gan_jax.common.schedules import check_schedule
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.networks.conditions import check_condition
from gan_jax.optimizers import Schedule


class Generator(nn.Module):
    """Latent -> gated recurrent unit that reads the symbols it has drawn -> one-hot vectors.

    The unit is that of Cho et al. (2014) in their first version, with the reset gate after the
    product. Symbols are drawn by the Gumbel-softmax (Jang, Gu and
    Poole, 2017; Maddison, Mnih and Teh, 2017), which Kusner and Hernandez-Lobato (2016) have used
    for GANs, straight-through: the gradient of a draw is that of a softmax with a temperature. The
    noise of the draws is part of the latent, of which it takes length * vocabulary normal numbers,
    so that a sample is a function of its latent. Latents from another distribution are refused.

    Attributes:
        vocabulary: number of symbols, that of the data.
        length: tokens of a sample, that of the data.
        width: units of the recurrent network.
        temperature: above 0, over the steps of the generator; `Schedule("linear", 10_000, end=0.1)`
            for example.
    """

    vocabulary: int
    length: int = 32
    width: int = 256
    temperature: Any = Schedule()

    normal_latents = True  # it needs

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "vocabulary length width", at_least=1)
        right = 'Schedule("linear", 10_000, end=0.1), for example'
        check_schedule("Generator", "temperature", self.temperature, right)
        given = self.temperature
        if isinstance(given, Schedule) and not (
            given.start and (given.end or given.shape == "constant")
        ):
            raise RequestError(f"Generator.temperature = {given}: must stay above 0; give {right}")
        super().__post_init__()

    @nn.compact
    def __call__(
        self, latent: Float[Array, "batch latent"], condition: Any = None, *, training: bool
    ) -> Float[Array, "batch length vocabulary"]:
        """Maps latents to one-hot vectors; the same in training and inference.

        Raises:
            RequestError: there are labels, or the latent is too short.
        """
        check_condition(condition, classes=0)
        size = self.length * self.vocabulary
        if latent.shape[-1] <= size:
            raise RequestError(
                f"latent_size = {latent.shape[-1]}: must be above {size}, length * vocabulary, as "
                "so many numbers are the noise of the draws"
            )
        steps = self.variable("temperature", "steps", jnp.zeros, (), jnp.float32)
        temperature = self.temperature.build()(steps.value)
        if training and not self.is_initializing():
            steps.value += 1
        noise = latent[:, -size:].reshape(-1, self.length, self.vocabulary)
        hidden = nn.tanh(nn.Dense(self.width)(latent[:, :-size]))
        write = nn.scan(
            _Writer,
            variable_broadcast="params",
            split_rngs={"params": False},
            in_axes=(1, nn.broadcast),
            out_axes=1,
        )(self.vocabulary, self.width)
        return write((hidden, jnp.zeros_like(noise[:, 0])), noise, temperature)[1]


class _Writer(nn.Module):
    """Draws one symbol after the one before."""

    vocabulary: int
    width: int

    @nn.compact
    def __call__(self, carry, noise, temperature):
        hidden, symbol = carry
        hidden, _ = nn.GRUCell(self.width, dtype=hidden.dtype)(hidden, symbol)
        logits = nn.Dense(self.vocabulary)(hidden).astype(jnp.float32)
        # Phi(noise) is uniform, so this is Gumbel(0, 1).
        gumbel = -jnp.log(-jax.scipy.special.log_ndtr(noise.astype(jnp.float32)))
        soft = nn.softmax((logits + gumbel) / temperature)
        hard = jax.nn.one_hot(soft.argmax(axis=-1), self.vocabulary)
        # The difference first: it is exactly 0, so that the symbol is exactly one-hot.
        symbol = (hard + (soft - jax.lax.stop_gradient(soft))).astype(noise.dtype)
        return (hidden, symbol), symbol
