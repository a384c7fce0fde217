"""Networks for semi-supervised learning: discriminators that are classifiers.

The perceptrons of Salimans et al. (2016) for MNIST, after the authors' code: a generator with
softplus and BatchNorm, and a discriminator with noise and weight normalisation (Salimans and
Kingma, 2016). Meant for `losses.SemiSupervised`.
"""

import math
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.networks.conditions import check_condition

EPSILON = 1e-6  # beside the deviation of a unit, which may be 0


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
        if not self.shape or min(self.shape) < 1:
            raise RequestError(f"Generator.shape = {self.shape}: must be at least 1")
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
        pixels = nn.WeightNorm(nn.Dense(math.prod(self.shape)))(x)
        return (2 * nn.sigmoid(pixels) - 1).reshape(-1, *self.shape)


class Discriminator(nn.Module):
    """Sample -> noise -> hidden layers with noise and ReLU -> class logits.

    All layers are weight-normalised, and the first batch sets the lengths of their weights. The
    noise is there in training only.

    Attributes:
        classes: of real examples.
        widths: units of each hidden layer.
        input_noise: standard deviation of the noise that is added to samples, scaled to [0, 1].
        noise: of that added to what each hidden layer gives.
    """

    classes: int = 10
    widths: tuple[int, ...] = (1000, 500, 250, 250, 250)
    input_noise: float = 0.3
    noise: float = 0.5

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "classes", at_least=2)
        check_bounds(self, "input_noise noise", at_least=0)
        if not self.widths or min(self.widths) < 1:
            raise RequestError(f"Discriminator.widths = {self.widths}: must be at least 1")
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

        x = noisy((sample.reshape(len(sample), -1) + 1) / 2, self.input_noise)
        features = x
        for width in self.widths:
            features = nn.relu(_Normalised(width)(x, training=training))
            x = noisy(features, self.noise)
        last = _Normalised(self.classes, trained_scale=True)
        class_logits = last(x, training=training).astype(jnp.float32)
        return Output(jax.nn.logsumexp(class_logits, axis=-1), class_logits, features)


class _Normalised(nn.Module):
    """Dense layer whose weights of each unit keep the length that the first batch gives them.

    In training, the first batch sets that length, and an offset, so that what the layer gives has
    mean 0 and deviation 1 there (Salimans and Kingma, 2016, section 3). A length that could grow
    would make the noise after the layer small beside what it is added to.

    Attributes:
        features: units.
        trained_scale: whether the length is learnt after that, as the last layer's is.
    """

    features: int
    trained_scale: bool = False

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch inputs"], *, training: bool
    ) -> Float[Array, "batch features"]:
        shape = (self.features,)
        kernel = self.param("kernel", nn.initializers.normal(0.1), (x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, shape)
        scale = self.variable("first_batch", "scale", jnp.ones, shape)
        offset = self.variable("first_batch", "offset", jnp.zeros, shape)
        batches = self.variable("first_batch", "batches", jnp.zeros, (), jnp.int32)
        y = x @ (kernel / jnp.linalg.norm(kernel, axis=0)).astype(x.dtype)
        if training and not self.is_initializing():
            of_batch = jax.lax.stop_gradient(y.astype(jnp.float32))
            mean, deviation = of_batch.mean(axis=0), of_batch.std(axis=0) + EPSILON
            first = batches.value == 0
            scale.value = jnp.where(first, 1 / deviation, scale.value)
            offset.value = jnp.where(first, -mean / deviation, offset.value)
            batches.value = jnp.ones_like(batches.value)
        length = scale.value
        if self.trained_scale:
            length = length * self.param("scale", nn.initializers.ones, shape)
        return (length * y + offset.value + bias).astype(x.dtype)
