"""A small convolutional classifier whose penultimate activations serve as features of images.

It has convolutions with BatchNorm (Ioffe and Szegedy, 2015) and global average pooling (Lin, Chen,
Yan, 2014) before its only dense layer, so that it takes images of any size and has few parameters.
"""

import functools

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.networks.layers import Conv, Dropout

SMALLEST, COARSEST = 8, 8  # pixels: smallest image, and largest map that is pooled globally

BatchNorm = functools.partial(nn.BatchNorm, momentum=0.9)


class Classifier(nn.Module):
    """Image in [-1, 1] -> convolutions that halve the map to 8 x 8 or less -> features -> logits.

    Attributes:
        width: channels of the first convolution; the hidden ones after it have twice as many.
        feature_size: number of features, the channels of the last convolution.
        classes: number of classes, at least 2.
        dropout: probability that a feature is dropped in training, in [0, 1).
    """

    width: int = 32
    feature_size: int = 128
    classes: int = 10
    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "width feature_size", at_least=1)
        check_bounds(self, "classes", at_least=2)
        check_bounds(self, "dropout", at_least=0, below=1)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, images: Float[Array, "batch rows columns channels"], *, training: bool
    ) -> tuple[Float[Array, "batch feature_size"], Float[Array, "batch classes"]]:
        """Returns non-negative features and the logits of the classes.

        Raises:
            RequestError: the images are smaller than 8 x 8 pixels.
        """
        if min(images.shape[1:3]) < SMALLEST:
            size = " x ".join(map(str, images.shape[1:3]))
            raise RequestError(f"images of {size} pixels: must be at least {SMALLEST} x {SMALLEST}")

        def block(x, channels, kernel_size, stride):
            x = Conv(channels, kernel_size, stride, use_bias=False)(x)
            return nn.relu(BatchNorm(use_running_average=not training)(x))

        x = block(images, self.width, 5, stride=2)
        while max(x.shape[1:3]) > COARSEST:
            x = block(x, 2 * self.width, 3, stride=2)
            x = block(x, 2 * self.width, 3, stride=1)
        features = jnp.mean(block(x, self.feature_size, 3, stride=1), axis=(1, 2))
        kept = Dropout(self.dropout)(features, training=training)
        return features, nn.Dense(self.classes)(kept)
