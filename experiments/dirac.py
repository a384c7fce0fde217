"""The Dirac-GAN: a generator of one point and a linear discriminator (Mescheder et al., 2018).

    gan-jax train experiments/dirac.py

All data are at the origin, the generator makes the point theta, and the discriminator's logit is
psi * x. Both parameters start at 1; the solution is (0, 0), which training with R1 reaches. Without
a penalty, zero-sum losses circle around it or drift outwards, and the non-saturating loss, which
this file uses, approaches it slowly (their sections 2 and 4). `tests/test_dirac.py` follows the
trajectories with various losses and penalties. The point has two coordinates, which move alike.

Measured at commit 80dca5f (Python 3.12, JAX 0.12.0.1, two x86 cores; nothing here is random): after
500 steps theta is 5e-10 and psi -5e-10; with --penalties.0.gamma 0 they are 0.22 and 0.30.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from gan_jax.data import points
from gan_jax.experiment import Experiment
from gan_jax.optimizers import from_optax
from gan_jax.penalties import R1


class Generator(nn.Module):
    """Makes the point theta, whatever the latent."""

    @nn.compact
    def __call__(
        self, latent: Float[Array, "batch latent"], condition: Any = None, *, training: bool
    ) -> Float[Array, "batch 2"]:
        """Returns theta for each latent."""
        theta = self.param("theta", nn.initializers.ones_init(), (2,), jnp.float32)
        return jnp.broadcast_to(theta, (len(latent), 2))


class Discriminator(nn.Module):
    """A linear function psi * x, without a bias."""

    @nn.compact
    def __call__(
        self, sample: Float[Array, "batch 2"], condition: Any = None, *, training: bool
    ) -> Float[Array, " batch"]:
        """Returns the logit psi * x of each point x."""
        psi = self.param("psi", nn.initializers.ones_init(), (2,), jnp.float32)
        return sample @ psi


descent = from_optax(optax.sgd, learning_rate=0.1)

experiment = Experiment(
    generator=Generator(),
    discriminator=Discriminator(),
    data=points.Mixture(centres=((0.0, 0.0),), deviation=0.0, count=64),
    penalties=(R1(gamma=1.0),),
    generator_optimizer=descent,
    discriminator_optimizer=descent,
    latent_size=1,
    batch_size=4,
    steps=500,
    sample_every=50,
)
