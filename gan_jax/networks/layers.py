"""Layers that several architectures share."""

import functools
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.ops.conv import conv, conv_transpose
from gan_jax.ops.conv1d import conv1d, conv1d_transpose, upsampled_conv1d

# Glorot uniform with a gain of sqrt(2), for layers that a ReLU follows or precedes.
relu_glorot = nn.initializers.variance_scaling(2.0, "fan_avg", "uniform")


class Conv(nn.Module):
    """Convolution equal to `flax.linen.Conv` with padding "SAME", and faster on CPU.

    It has the same parameters, `kernel` of shape [height, width, inputs / groups, features] and
    `bias` of shape [features], and gives the same maps; it computes in the dtype of its input.
    Kernels are initialised Glorot-uniform (Glorot and Bengio, 2010, equation 16) and biases zero,
    as in Keras. For dilation, other padding or forward mode (`jax.jvp`) use Flax's.

    Attributes:
        features: channels of the result, at least 1.
        kernel_size: (height, width) of the kernel, or one number if they are equal.
        stride: stride along both axes, at least 1.
        use_bias: whether to add a bias.
        kernel_init: initialiser of the kernel.
        groups: input channels and features are split into this many groups, of which each group of
            features sees only its own group of inputs; at least 1, and must divide both.
    """

    features: int
    kernel_size: int | tuple[int, int]
    stride: int = 1
    use_bias: bool = True
    kernel_init: Callable[..., Array] = nn.initializers.glorot_uniform()
    groups: int = 1

    def __post_init__(self) -> None:
        _check(self)
        check_bounds(self, "groups", at_least=1)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width inputs"]
    ) -> Float[Array, "batch coarse_height coarse_width {self.features}"]:
        """Returns maps of ceil(height / stride) x ceil(width / stride)."""
        operation = functools.partial(conv, groups=self.groups)
        return _apply(self, operation, x, x.shape[-1] // self.groups)


class ConvTranspose(nn.Module):
    """Transposed convolution equal to `flax.linen.ConvTranspose` with padding "SAME".

    It has the same parameters, `kernel` of shape [height, width, inputs, features] and `bias` of
    shape [features], gives the same maps and is faster on CPU; it computes in the dtype of its
    input. Kernels are initialised Glorot-uniform (Glorot and Bengio, 2010, equation 16) and biases
    zero, as in Keras. For dilation, other padding or forward mode (`jax.jvp`) use Flax's.

    Attributes:
        features: channels of the result, at least 1.
        kernel_size: (height, width) of the kernel, or one number if they are equal.
        stride: factor by which the map is enlarged along both axes, at least 1.
        use_bias: whether to add a bias.
        kernel_init: initialiser of the kernel.
    """

    features: int
    kernel_size: int | tuple[int, int]
    stride: int = 1
    use_bias: bool = True
    kernel_init: Callable[..., Array] = nn.initializers.glorot_uniform()

    def __post_init__(self) -> None:
        _check(self)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width inputs"]
    ) -> Float[Array, "batch height*{self.stride} width*{self.stride} {self.features}"]:
        """Returns maps of (height * stride) x (width * stride)."""
        return _apply(self, conv_transpose, x, x.shape[-1])


class Conv1d(nn.Module):
    """Convolution of sequences, equal to `flax.linen.Conv` with padding "SAME", and faster on CPU.

    It has the same parameters, `kernel` [kernel_size, inputs, features] and `bias` [features]; all
    else is as in `Conv` without groups.

    Attributes:
        features: channels of the result, at least 1.
        kernel_size: taps of the kernel, at least 1.
        stride: at least 1.
        use_bias: whether to add a bias.
        kernel_init: initialiser of the kernel, [kernel_size, inputs, features].
    """

    features: int
    kernel_size: int
    stride: int = 1
    use_bias: bool = True
    kernel_init: Callable[..., Array] = nn.initializers.glorot_uniform()

    def __post_init__(self) -> None:
        _check(self)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch time inputs"]
    ) -> Float[Array, "batch coarse_time {self.features}"]:
        """Returns sequences of ceil(time / stride) positions."""
        return _apply(self, conv1d, x, x.shape[-1])


class ConvTranspose1d(nn.Module):
    """Transposed convolution of sequences, equal to `flax.linen.ConvTranspose` with "SAME".

    It has the same parameters, `kernel` [kernel_size, inputs, features] and `bias` [features]; all
    else is as in `ConvTranspose`.

    Attributes:
        features: channels of the result, at least 1.
        kernel_size: taps of the kernel, at least 1.
        stride: factor by which the sequence is lengthened, at least 1.
        use_bias: whether to add a bias.
        kernel_init: initialiser of the kernel, [kernel_size, inputs, features].
    """

    features: int
    kernel_size: int
    stride: int = 1
    use_bias: bool = True
    kernel_init: Callable[..., Array] = nn.initializers.glorot_uniform()

    def __post_init__(self) -> None:
        _check(self)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch time inputs"]
    ) -> Float[Array, "batch time*{self.stride} {self.features}"]:
        """Returns sequences of time * stride positions."""
        return _apply(self, conv1d_transpose, x, x.shape[-1])


class UpsampledConv1d(nn.Module):
    """Repeats each position, and convolves with padding "SAME", without a long sequence between.

    It has the parameters of a `Conv1d`, and is initialised as one.

    Attributes:
        features: channels of the result, at least 1.
        kernel_size: taps of the kernel, an odd number.
        stride: how often each position is repeated, at least 1.
        use_bias: whether to add a bias.
        kernel_init: initialiser of the kernel, [kernel_size, inputs, features].
    """

    features: int
    kernel_size: int
    stride: int = 1
    use_bias: bool = True
    kernel_init: Callable[..., Array] = nn.initializers.glorot_uniform()

    def __post_init__(self) -> None:
        _check(self)
        if not self.kernel_size % 2:
            wrong = f"UpsampledConv1d.kernel_size = {self.kernel_size}"
            raise RequestError(f"{wrong}: must be an odd number")
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch time inputs"]
    ) -> Float[Array, "batch time*{self.stride} {self.features}"]:
        """Returns sequences of time * stride positions."""
        return _apply(self, upsampled_conv1d, x, x.shape[-1])


class Dropout(nn.Module):
    """Dropout (Srivastava et al., 2014) that draws 16 random bits per activation.

    The drop probability is `rate` rounded to a multiple of 2^-16 strictly between 0 and 1. Kept
    activations are divided by the probability of being kept, so that the expectation is the input,
    up to rounding in its dtype. Flax's dropout draws 32 bits and takes several times as long
    (`benchmarks/pieces.py`).

    Attributes:
        rate: probability that an activation is dropped, in [0, 1); 0 drops nothing.
    """

    rate: float

    def __post_init__(self) -> None:
        check_bounds(self, "rate", at_least=0, below=1)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Float[Array, "*shape"], *, training: bool) -> Float[Array, "*shape"]:
        """Applies dropout in training, with a mask from the random stream "dropout"."""
        if not training or self.rate == 0:
            return x
        kept = min(max(round((1 - self.rate) * 2**16), 1), 2**16 - 1)
        words = jax.random.bits(self.make_rng("dropout"), ((x.size + 1) // 2,), jnp.uint32)
        halves = lax.bitcast_convert_type(words, jnp.uint16).reshape(-1)[: x.size]
        return jnp.where(halves.reshape(x.shape) < kept, x * (2**16 / kept), 0)


class Normalise(nn.Module):
    """Batch, layer or no normalisation, chosen by name; batch normalisation can be conditional.

    Attributes:
        kind: "batch" (Ioffe and Szegedy, 2015), "layer" (Ba et al., 2016; over all axes but the
            batch), or "none".
        classes: with "batch", number of classes, each of which has a scale and shift of its own
            (Dumoulin et al., 2017, equation 5); 0 for the same scale and shift in all examples.
    """

    kind: Literal["batch", "layer", "none"]
    classes: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "classes", at_least=0)
        if self.classes and self.kind != "batch":
            raise RequestError(
                f"Normalise.classes = {self.classes}: must be 0 with kind = {self.kind!r}, which "
                "has the same scale and shift for all classes"
            )
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch ..."], condition: Any = None, *, training: bool
    ) -> Float[Array, "batch ..."]:
        """Normalises maps with channels last."""
        if self.kind == "none":
            return x
        if self.kind == "layer":
            axes = tuple(range(1, x.ndim))
            return nn.LayerNorm(reduction_axes=axes, feature_axes=-1, epsilon=1e-5)(x)
        shared = self.classes == 0
        x = nn.BatchNorm(
            use_running_average=not training,
            momentum=0.9,
            epsilon=1e-5,
            use_scale=shared,
            use_bias=shared,
        )(x)
        if shared:
            return x
        size = (self.classes, x.shape[-1])
        scale = self.param("scales", nn.initializers.ones_init(), size, jnp.float32)
        shift = self.param("shifts", nn.initializers.zeros_init(), size, jnp.float32)
        shape = (len(x), *[1] * (x.ndim - 2), x.shape[-1])
        scale, shift = (part[condition].reshape(shape).astype(x.dtype) for part in (scale, shift))
        return x * scale + shift


class Spectral(nn.Module):
    """Spectral normalisation: divides a layer's kernel by its largest singular value.

    Miyato et al. (2018), algorithm 1, with one power iteration per forward pass in training, whose
    vector is kept in the variable collection "spectral". Kernels of convolutions are treated as
    matrices [taps * inputs, features], with the taps of all axes of the kernel.

    Attributes:
        layer: a module class, or a partial of one, that creates the layer.
        active: whether to normalise; False applies the layer as it is.
    """

    layer: Callable[[], nn.Module]
    active: bool = True

    @nn.compact
    def __call__(self, x: Array, *, training: bool) -> Array:
        """Applies the layer."""
        layer = self.layer(name="layer")
        if not self.active:
            return layer(x)
        # An embedding of integer labels computes in float32, other layers in the input's dtype.
        dtype = x.dtype if jnp.issubdtype(x.dtype, jnp.floating) else None
        normalised = nn.SpectralNorm(layer, dtype=dtype, collection_name="spectral")
        return normalised(x, update_stats=training)


class SelfAttention(nn.Module):
    """Self-attention between the positions of a map, as in SAGAN.

    Zhang et al. (2019), equations 1 to 3, with keys and values max-pooled to half the size, as in
    their code. It is the identity at initialisation.

    Attributes:
        spectral: whether to normalise all kernels spectrally.
    """

    spectral: bool = False

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"], *, training: bool
    ) -> Float[Array, "batch height width channels"]:
        """Adds to each position a weighted mean over all; height and width must be even."""
        batch, channels = x.shape[0], x.shape[-1]

        def projected(of, name, features):
            layer = functools.partial(nn.Dense, features, use_bias=False)
            return Spectral(layer, self.spectral, name=name)(of, training=training)

        def places(of):
            return of.reshape(batch, -1, of.shape[-1])

        def coarse(of):
            return places(nn.max_pool(of, (2, 2), strides=(2, 2)))

        query = places(projected(x, "query", max(channels // 8, 1)))
        key = coarse(projected(x, "key", max(channels // 8, 1)))
        value = coarse(projected(x, "value", max(channels // 2, 1)))
        weights = jax.nn.softmax(jnp.einsum("bqc,bkc->bqk", query, key))
        seen = jnp.einsum("bqk,bkc->bqc", weights, value)
        seen = projected(seen, "output", channels).reshape(x.shape)
        gain = self.param("gain", nn.initializers.zeros_init(), (), jnp.float32)
        return x + gain.astype(x.dtype) * seen


def _check(layer: nn.Module) -> None:
    check_types(layer)
    check_bounds(layer, "features stride", at_least=1)
    if not isinstance(layer, Conv | ConvTranspose):
        check_bounds(layer, "kernel_size", at_least=1)
        return
    size = layer.kernel_size
    sides = (size, size) if isinstance(size, int) else size
    if len(sides) != 2 or min(sides) < 1:
        wrong = f"{type(layer).__name__}.kernel_size = {size}"
        raise RequestError(
            f"{wrong}: must be (height, width) or one number for both, each at least 1"
        )


def _apply(
    layer: Conv | ConvTranspose | Conv1d | ConvTranspose1d | UpsampledConv1d,
    operation: Callable[[Array, Array, int], Array],
    x: Array,
    inputs: int,
) -> Array:
    size = layer.kernel_size
    sides = (size,) * (x.ndim - 2) if isinstance(size, int) else size
    shape = (*sides, inputs, layer.features)
    kernel = layer.param("kernel", layer.kernel_init, shape, jnp.float32)
    y = operation(x, kernel.astype(x.dtype), layer.stride)
    if not layer.use_bias:
        return y
    bias = layer.param("bias", nn.initializers.zeros_init(), (layer.features,), jnp.float32)
    return y + bias.astype(x.dtype).reshape(*[1] * (x.ndim - 1), -1)
