"""Networks for semi-supervised learning: discriminators that are classifiers.

The perceptrons of Salimans et al. (2016) for MNIST, from the authors' code: a generator with
softplus and BatchNorm, and a discriminator with noise and weight normalisation (Salimans and
Kingma, 2016). Meant for `losses.SemiSupervised`.
"""

import math
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gan_jax.common.validation import check_bounds, check_types
from gan_jax.networks.conditions import check_condition


class Output(NamedTuple):
    """The output of a discriminator that is a classifier.

    Attributes:
        logits: of being real, [batch]: of any class, where that of being fake is 0.
        class_logits: of the classes of real examples, [batch, classes].
        features: of its last hidden layer, which the generator matches, [batch, features].
    """

    logits: Float[Array, " batch"]
    class_logits: Float[Array, "batch classes"]
    features: Float[Array, "batch features"]


class Generator(nn.Module):
    """Latent -> two hidden layers with BatchNorm and softplus -> sample in [-1, 1].

    Attributes:
        shape: of a sample.
        width: units of a hidden layer.
    """

    shape: tuple[int, ...] = (28, 28, 1)
    width: int = 500

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "width", at_least=1)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, latent: Float[Array, "batch latent"], condition: Any = None, *, training: bool
    ) -> Float[Array, "batch ..."]:
        """Maps latents to samples.

        Raises:
            RequestError: there are labels; this generator is unconditional.
        """
        check_condition(condition, classes=0)
        x = latent
        for _ in range(2):
            x = nn.Dense(self.width, use_bias=False)(x)
            norm = nn.BatchNorm(use_running_average=not training, momentum=0.9, use_scale=False)
            x = nn.softplus(norm(x))
        pixels = nn.tanh(nn.WeightNorm(nn.Dense(math.prod(self.shape)))(x))
        return pixels.reshape(-1, *self.shape)


class Discriminator(nn.Module):
    """Sample -> noise -> hidden layers with noise and ReLU -> class logits.

    All layers are weight-normalised. The noise is there in training only.

    Attributes:
        classes: of real examples.
        widths: units of each hidden layer.
        input_noise: standard deviation of the noise that is added to samples in [-1, 1].
        noise: of that added to what each hidden layer gives.
    """

    classes: int = 10
    widths: tuple[int, ...] = (1000, 500, 250, 250, 250)
    input_noise: float = 0.6
    noise: float = 0.5

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "classes", at_least=2)
        check_bounds(self, "input_noise noise", at_least=0)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, sample: Float[Array, "batch ..."], condition: Any = None, *, training: bool
    ) -> Output:
        """Maps samples to logits of the classes, and to features.

        Raises:
            RequestError: there are labels; this discriminator is unconditional.
        """
        check_condition(condition, classes=0)

        def noisy(x, deviation):
            if not training or not deviation:
                return x
            return x + deviation * jax.random.normal(self.make_rng("dropout"), x.shape, x.dtype)

        x = noisy(sample.reshape(len(sample), -1), self.input_noise)
        features = x
        for width in self.widths:
            features = nn.relu(nn.WeightNorm(nn.Dense(width))(x))
            x = noisy(features, self.noise)
        class_logits = nn.WeightNorm(nn.Dense(self.classes))(x).astype(jnp.float32)
        return Output(jax.nn.logsumexp(class_logits, axis=-1), class_logits, features)
