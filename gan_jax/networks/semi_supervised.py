"""Networks for semi-supervised learning: discriminators that are classifiers.

The networks of Salimans et al. (2016), after the authors' code: perceptrons for MNIST, a generator
with softplus and BatchNorm and a discriminator with noise and weight normalisation (Salimans and
Kingma, 2016), and convolutional ones for larger images, with dropout instead of noise. Meant for
`losses.SemiSupervised`.
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
from gan_jax.networks.layers import ConvTranspose, Dropout
from gan_jax.ops.conv import conv

EPSILON = 1e-6  # beside the deviation of a unit, which may be 0
COARSEST = 4  # pixels of a map that the convolutional generator makes no smaller


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
            features = nn.relu(_Normalised(width, deviation=0.1)(x, training=training))
            x = noisy(features, self.noise)
        last = _Normalised(self.classes, deviation=0.1, trained_scale=True)
        return _output(last(x, training=training), features)


class ConvGenerator(nn.Module):
    """Latent -> Dense -> transposed convolutions that double the map -> image in [-1, 1].

    The last layer is weight-normalised. Unlike in the authors' code, the first batch does not set
    the length of its weights.

    Attributes:
        image_size: pixels of a side, an even number above 4.
        image_channels: 1 for grey images, 3 for RGB.
        width: channels of the last hidden map; those before it have twice as many each. 128 in the
            paper, for images of 32 x 32.
    """

    image_size: int = 28
    image_channels: int = 1
    width: int = 128

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "image_channels width", at_least=1)
        if self.image_size <= COARSEST or self.image_size % 2:
            wrong = f"ConvGenerator.image_size = {self.image_size}"
            raise RequestError(f"{wrong}: must be an even number above {COARSEST}")
        super().__post_init__()

    @nn.compact
    def __call__(
        self, latent: Float[Array, "batch latent"], condition: Any = None, *, training: bool
    ) -> Float[Array, "batch {self.image_size} {self.image_size} {self.image_channels}"]:
        """Maps latents to images.

        Raises:
            RequestError: there are labels; this generator is unconditional.
        """
        check_condition(condition, classes=0)

        def hidden(x):
            norm = nn.BatchNorm(use_running_average=not training, momentum=0.9, use_scale=False)
            return nn.relu(norm(x))

        side, widths = self.image_size, []
        while side % 2 == 0 and side > COARSEST:
            side //= 2
            widths.insert(0, self.width * 2 ** len(widths))
        x = nn.Dense(side * side * widths[0], use_bias=False)(latent)
        x = hidden(x.reshape(-1, side, side, widths[0]))
        for width in widths[1:]:
            x = hidden(ConvTranspose(width, 5, 2, use_bias=False)(x))
        return jnp.tanh(nn.WeightNorm(ConvTranspose(self.image_channels, 5, 2))(x))


class ConvDiscriminator(nn.Module):
    """Image -> dropout -> convolutions with leaky ReLU -> global average -> class logits.

    All layers are weight-normalised, as those of `Discriminator`. There are three convolutions at
    the size of the image and at half of it, of which the third halves the map, and three more, of
    which two are 1 x 1. Unlike the authors', all are padded.

    Attributes:
        classes: of real examples.
        width: channels of the first maps; later ones have twice as many. 96 in the paper.
        input_dropout: probability that a value of the image is dropped.
        dropout: that of an activation after each map has been halved.
    """

    classes: int = 10
    width: int = 96
    input_dropout: float = 0.2
    dropout: float = 0.5

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "classes", at_least=2)
        check_bounds(self, "width", at_least=1)
        check_bounds(self, "input_dropout dropout", at_least=0, below=1)
        super().__post_init__()

    @nn.compact
    def __call__(
        self,
        sample: Float[Array, "batch rows columns channels"],
        condition: Any = None,
        *,
        training: bool,
    ) -> Output:
        """Maps images to logits of the classes, and to features.

        Raises:
            RequestError: there are labels; this discriminator is unconditional.
        """
        check_condition(condition, classes=0)

        def convolved(x, width, size=3, stride=1):
            layer = _Normalised(width, size, stride, deviation=0.05)
            return nn.leaky_relu(layer(x, training=training), 0.2)

        x = Dropout(self.input_dropout)(sample, training=training)
        for width in (self.width, 2 * self.width):
            x = convolved(convolved(x, width), width)
            x = convolved(x, width, stride=2)
            x = Dropout(self.dropout)(x, training=training)
        for size in (3, 1, 1):
            x = convolved(x, 2 * self.width, size)
        features = x.mean(axis=(1, 2))
        last = _Normalised(self.classes, deviation=0.05, first=0.1, trained_scale=True)
        return _output(last(features, training=training), features)


def _output(class_logits: Array, features: Array) -> Output:
    class_logits = class_logits.astype(jnp.float32)
    return Output(jax.nn.logsumexp(class_logits, axis=-1), class_logits, features)


class _Normalised(nn.Module):
    """Layer whose weights of each unit keep the length that the first batch gives them.

    In training, the first batch sets that length, and an offset, so that what the layer gives has
    mean 0 and a certain deviation there (Salimans and Kingma, 2016, section 3). A length that could
    grow would make noise after the layer small beside what it is added to.

    Attributes:
        features: units, or channels of a convolution.
        kernel_size: of a convolution with padding; None for a dense layer.
        stride: of a convolution.
        deviation: of the normal distribution that the weights are drawn from.
        first: deviation of what the layer gives for the first batch.
        trained_scale: whether the length is learnt after that, as the last layer's is.
    """

    features: int
    kernel_size: int | None = None
    stride: int = 1
    deviation: float = 0.1
    first: float = 1.0
    trained_scale: bool = False

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch ... inputs"], *, training: bool
    ) -> Float[Array, "batch ... {self.features}"]:
        shape, sides = (self.features,), () if self.kernel_size is None else (self.kernel_size,) * 2
        normal = nn.initializers.normal(self.deviation)
        kernel = self.param("kernel", normal, (*sides, x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, shape)
        scale = self.variable("first_batch", "scale", jnp.ones, shape)
        offset = self.variable("first_batch", "offset", jnp.zeros, shape)
        batches = self.variable("first_batch", "batches", jnp.zeros, (), jnp.int32)
        lengths = jnp.sqrt(jnp.square(kernel).sum(axis=tuple(range(kernel.ndim - 1))))
        direction = (kernel / lengths).astype(x.dtype)
        y = conv(x, direction, self.stride) if sides else x @ direction
        if training and not self.is_initializing():
            of_batch = jax.lax.stop_gradient(y.astype(jnp.float32))
            of_unit = of_batch.reshape(-1, self.features)
            mean, deviation = of_unit.mean(axis=0), of_unit.std(axis=0) + EPSILON
            first, length = batches.value == 0, self.first / deviation
            scale.value = jnp.where(first, length, scale.value)
            offset.value = jnp.where(first, -mean * length, offset.value)
            batches.value = jnp.ones_like(batches.value)
        length = scale.value
        if self.trained_scale:
            length = length * self.param("scale", nn.initializers.ones, shape)
        return (length * y + offset.value + bias).astype(x.dtype)
