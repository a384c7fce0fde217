"""Inception-v3 as used for the Fréchet inception distance: TensorFlow's graph of December 2015.

The architecture of Szegedy, Vanhoucke, Ioffe, Shlens, Wojna (2016) with the peculiarities of the
graph whose features Heusel et al. (2017) compare: average pooling that does not count padding, max
pooling in the last block, 1,008 classes, of which 1,000 are ImageNet's, and TensorFlow 1's bilinear
resizing. Modules and arrays have the names of the published PyTorch checkpoint.
"""

import functools
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, PyTree, UInt8

from gan_jax.common.errors import RequestError

SIZE, FEATURES, CLASSES = 299, 2048, 1008

Maps = Float[Array, "_ _ _ _"]  # batch, height, width, channels


class Outputs(NamedTuple):
    """The outputs of the network for a batch of images.

    Attributes:
        features: averages over the last maps, non-negative, [batch, 2048].
        logits: logits of the classes, without the bias of the last layer, [batch, 1008].
    """

    features: Float[Array, "batch 2048"]
    logits: Float[Array, "batch 1008"]


def prepare(pixels: UInt8[Array, "batch height width 3"]) -> Float[Array, "batch 299 299 3"]:
    """Resizes and scales RGB images of any size in [0, 255] to the network's input in [-1, 1)."""
    return (resize(pixels.astype(jnp.float32)) - 128) / 128


def resize(x: Maps, size: int = SIZE) -> Maps:
    """Resizes images to size x size with the bilinear interpolation of TensorFlow 1.

    Pixel i of the result is interpolated at position i * length / size, in pixels from the first
    one (neither corners nor centres are aligned), and images are not smoothed before they are
    reduced. Both differ from today's resizing, and so do distances (Parmar et al., 2022).
    """
    return _stretch(_stretch(x, 2, size), 1, size)


def _stretch(x: Maps, axis: int, size: int) -> Maps:
    length = x.shape[axis]
    position = np.arange(size, dtype=np.float32) * np.float32(length / size)
    low = position.astype(np.int32)
    high = np.minimum(low + 1, length - 1)
    weight = np.expand_dims(position - low, tuple(range(1, x.ndim - axis)))
    before, after = jnp.take(x, low, axis), jnp.take(x, high, axis)
    return before + (after - before) * weight


class Convolution(nn.Module):
    """Convolution without bias, BatchNorm with stored statistics, and ReLU."""

    features: int
    kernel_size: tuple[int, int]
    stride: int = 1
    padding: str = "SAME"

    @nn.compact
    def __call__(self, x: Maps) -> Maps:
        """Applies the layers, in full float32 precision even where a device's default is lower."""
        x = nn.Conv(
            self.features,
            self.kernel_size,
            self.stride,
            self.padding,
            use_bias=False,
            precision=lax.Precision.HIGHEST,
            name="conv",
        )(x)
        return nn.relu(nn.BatchNorm(use_running_average=True, epsilon=1e-3, name="bn")(x))


def convolve(x: Maps, name: str, features: int, size: int | tuple[int, int] = 1) -> Maps:
    """A named `Convolution` with stride 1 that keeps the maps' size."""
    return Convolution(features, size if isinstance(size, tuple) else (size, size), name=name)(x)


def shrink(x: Maps, name: str, features: int, stride: int = 2) -> Maps:
    """A named 3 x 3 `Convolution` without padding."""
    return Convolution(features, (3, 3), stride, "VALID", name=name)(x)


def average_pool(x: Maps) -> Maps:
    """Averages over 3 x 3 windows with stride 1, of fewer pixels at the border."""
    return nn.avg_pool(x, (3, 3), (1, 1), "SAME", count_include_pad=False)


def max_pool(x: Maps, stride: int = 2, padding: str = "VALID") -> Maps:
    """Maxima over 3 x 3 windows."""
    return nn.max_pool(x, (3, 3), (stride, stride), padding)


def join(*branches: Maps) -> Maps:
    """Concatenates the channels of all branches."""
    return jnp.concatenate(branches, axis=-1)


class MixedA(nn.Module):
    """Block on 35 x 35 maps: branches of 1 x 1, 5 x 5 and two 3 x 3, and average pooling.

    Attributes:
        pooled: channels of the pooling branch.
    """

    pooled: int

    @nn.compact
    def __call__(self, x: Maps) -> Maps:
        """Returns maps of 224 + pooled channels."""
        single = convolve(x, "branch1x1", 64)
        wide = convolve(x, "branch5x5_1", 48)
        wide = convolve(wide, "branch5x5_2", 64, 5)
        double = convolve(x, "branch3x3dbl_1", 64)
        double = convolve(double, "branch3x3dbl_2", 96, 3)
        double = convolve(double, "branch3x3dbl_3", 96, 3)
        return join(single, wide, double, convolve(average_pool(x), "branch_pool", self.pooled))


class MixedB(nn.Module):
    """Block from 35 x 35 to 17 x 17 maps."""

    @nn.compact
    def __call__(self, x: Maps) -> Maps:
        """Returns maps with 480 more channels than `x`."""
        double = convolve(x, "branch3x3dbl_1", 64)
        double = convolve(double, "branch3x3dbl_2", 96, 3)
        double = shrink(double, "branch3x3dbl_3", 96)
        return join(shrink(x, "branch3x3", 384), double, max_pool(x))


class MixedC(nn.Module):
    """Block on 17 x 17 maps: branches of 1 x 1, one and two factored 7 x 7, and average pooling.

    Attributes:
        width: channels of the 7 x 7 branches before their last layers.
    """

    width: int

    @nn.compact
    def __call__(self, x: Maps) -> Maps:
        """Returns maps of 768 channels."""
        single = convolve(x, "branch1x1", 192)
        wide = convolve(x, "branch7x7_1", self.width)
        wide = convolve(wide, "branch7x7_2", self.width, (1, 7))
        wide = convolve(wide, "branch7x7_3", 192, (7, 1))
        double = convolve(x, "branch7x7dbl_1", self.width)
        double = convolve(double, "branch7x7dbl_2", self.width, (7, 1))
        double = convolve(double, "branch7x7dbl_3", self.width, (1, 7))
        double = convolve(double, "branch7x7dbl_4", self.width, (7, 1))
        double = convolve(double, "branch7x7dbl_5", 192, (1, 7))
        return join(single, wide, double, convolve(average_pool(x), "branch_pool", 192))


class MixedD(nn.Module):
    """Block from 17 x 17 to 8 x 8 maps."""

    @nn.compact
    def __call__(self, x: Maps) -> Maps:
        """Returns maps with 512 more channels than `x`."""
        single = shrink(convolve(x, "branch3x3_1", 192), "branch3x3_2", 320)
        wide = convolve(x, "branch7x7x3_1", 192)
        wide = convolve(wide, "branch7x7x3_2", 192, (1, 7))
        wide = convolve(wide, "branch7x7x3_3", 192, (7, 1))
        return join(single, shrink(wide, "branch7x7x3_4", 192), max_pool(x))


class MixedE(nn.Module):
    """Block on 8 x 8 maps: 1 x 1, 3 x 3 and two 3 x 3 with parallel factors, and pooling.

    Attributes:
        maxima: True for max pooling, as in the graph's last block; False for average pooling, as in
            the paper.
    """

    maxima: bool

    @nn.compact
    def __call__(self, x: Maps) -> Maps:
        """Returns maps of 2,048 channels."""
        single = convolve(x, "branch1x1", 320)
        wide = convolve(x, "branch3x3_1", 384)
        across = convolve(wide, "branch3x3_2a", 384, (1, 3))
        down = convolve(wide, "branch3x3_2b", 384, (3, 1))
        double = convolve(x, "branch3x3dbl_1", 448)
        double = convolve(double, "branch3x3dbl_2", 384, 3)
        across_double = convolve(double, "branch3x3dbl_3a", 384, (1, 3))
        down_double = convolve(double, "branch3x3dbl_3b", 384, (3, 1))
        pooled = max_pool(x, 1, "SAME") if self.maxima else average_pool(x)
        pooled = convolve(pooled, "branch_pool", 192)
        return join(single, across, down, across_double, down_double, pooled)


class Inception(nn.Module):
    """Inception-v3: RGB images -> features and logits."""

    @nn.compact
    def __call__(self, x: Float[Array, "batch 299 299 3"]) -> Outputs:
        """Maps images in [-1, 1), as `prepare` returns them, to features and logits.

        The logits lack the bias, so the checkpoint's fc.bias is not read: the first implementation
        of the Inception score (openai/improved-gan, of Salimans et al., 2016) multiplies the
        features by the weights only, and so do all scores that are compared with it
        (torch-fidelity's 'logits_unbiased').
        """
        x = shrink(x, "Conv2d_1a_3x3", 32)
        x = shrink(x, "Conv2d_2a_3x3", 32, stride=1)
        x = max_pool(convolve(x, "Conv2d_2b_3x3", 64, 3))
        x = convolve(x, "Conv2d_3b_1x1", 80)
        x = max_pool(shrink(x, "Conv2d_4a_3x3", 192, stride=1))
        for name, pooled in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
            x = MixedA(pooled, name=name)(x)
        x = MixedB(name="Mixed_6a")(x)
        widths = {"Mixed_6b": 128, "Mixed_6c": 160, "Mixed_6d": 160, "Mixed_6e": 192}
        for name, width in widths.items():
            x = MixedC(width, name=name)(x)
        x = MixedD(name="Mixed_7a")(x)
        x = MixedE(maxima=False, name="Mixed_7b")(x)
        x = MixedE(maxima=True, name="Mixed_7c")(x)
        features = x.mean((1, 2))
        last = nn.Dense(CLASSES, use_bias=False, precision=lax.Precision.HIGHEST, name="fc")
        return Outputs(features, last(features))


CHECKPOINT_NAMES = {
    "conv/kernel": "conv.weight",
    "bn/scale": "bn.weight",
    "bn/bias": "bn.bias",
    "bn/mean": "bn.running_mean",
    "bn/var": "bn.running_var",
    "fc/kernel": "fc.weight",
}
CHECKPOINT_AXES = {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}  # Flax's axes in PyTorch's order, by rank


def from_checkpoint(arrays: dict[str, np.ndarray], name: str) -> PyTree:
    """Converts the arrays of a PyTorch checkpoint to the variables of `Inception`, in float32.

    Ignored, and not required, are fc.bias (see `Inception`), the counts of training steps
    (num_batches_tracked) and the classifier that is used in training only (AuxLogits).

    Args:
        arrays: the checkpoint's arrays by name.
        name: name of the checkpoint, for messages.

    Raises:
        RequestError: arrays are missing, unknown, of another shape, or not of finite floating-point
            numbers; names them.
    """
    shapes = checkpoint_shapes()
    extra = [key for key in arrays if key not in shapes and not _left_out(key)]
    missing = [key for key in shapes if key not in arrays]
    unfit = [
        f"{key}, {arrays[key].dtype} {list(arrays[key].shape)} for finite float32 {list(shape)}"
        for key, shape in shapes.items()
        if key in arrays and not _fits(arrays[key], shape)
    ]
    problems = {"lacks": missing, "has the unknown": extra, "has the unfit": unfit}
    if found := [f"{what} {_listed(names)}" for what, names in problems.items() if names]:
        raise RequestError(f"{name!r} is not FID's Inception-v3: it {'; it '.join(found)}")

    def take(path: tuple, leaf: jax.ShapeDtypeStruct) -> Array:
        array = arrays[_checkpoint_name(path)]
        return jnp.asarray(array.transpose(np.argsort(CHECKPOINT_AXES[leaf.ndim])), leaf.dtype)

    return jax.tree_util.tree_map_with_path(take, _variables())


def checkpoint_shapes() -> dict[str, tuple[int, ...]]:
    """Returns the names and PyTorch shapes of the arrays that `from_checkpoint` requires."""
    return {
        _checkpoint_name(path): tuple(leaf.shape[axis] for axis in CHECKPOINT_AXES[leaf.ndim])
        for path, leaf in jax.tree_util.tree_leaves_with_path(_variables())
    }


@functools.cache
def _variables() -> PyTree:
    image = jax.ShapeDtypeStruct((1, SIZE, SIZE, 3), jnp.float32)
    return jax.eval_shape(Inception().init, jax.random.key(0), image)


def _checkpoint_name(path: tuple) -> str:
    _, *modules, layer, array = (key.key for key in path)
    return ".".join([*modules, CHECKPOINT_NAMES[f"{layer}/{array}"]])


def _fits(array: np.ndarray, shape: tuple[int, ...]) -> bool:
    floating = np.issubdtype(array.dtype, np.floating)
    return floating and array.shape == shape and bool(np.isfinite(array).all())


def _left_out(name: str) -> bool:
    ends = name.endswith(".num_batches_tracked")
    return ends or name == "fc.bias" or name.startswith("AuxLogits.")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
