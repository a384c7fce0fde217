"""Layers of the NumPy reference in float64, channels last, with hand-written gradients.

Every layer returns its output and a function from the output's gradient to those of its arguments.
"""

from collections.abc import Callable, Iterator

import numpy as np

Array = np.ndarray
Tree = dict

BATCH_NORM_MOMENTUM = 0.99
BATCH_NORM_EPSILON = 1e-3
LEAKY_SLOPE = 0.3


def batch_norm(
    x: Array, gamma: Array, beta: Array, moving_mean: Array, moving_variance: Array, training: bool
) -> tuple[Array, Tree, Callable]:
    """Normalised input, new statistics, and training's gradients of (x, gamma, beta).

    Per channel (last axis): training normalises by the batch's mean and biased variance, inference
    by the moving ones (Ioffe and Szegedy 2015).
    """
    axes = tuple(range(x.ndim - 1))
    mean, variance = (x.mean(axes), x.var(axes)) if training else (moving_mean, moving_variance)
    root = np.sqrt(variance + BATCH_NORM_EPSILON)
    normal = (x - mean) / root

    def backward(cotangent: Array) -> tuple[Array, Array, Array]:
        to_gamma, to_beta = (cotangent * normal).sum(axes), cotangent.sum(axes)
        count = x.size // x.shape[-1]
        to_x = gamma / root * (cotangent - (to_beta + normal * to_gamma) / count)
        return to_x, to_gamma, to_beta

    kept = BATCH_NORM_MOMENTUM if training else 1.0
    statistics = {
        "moving_mean": kept * moving_mean + (1 - kept) * mean,
        "moving_variance": kept * moving_variance + (1 - kept) * variance,
    }
    return normal * gamma + beta, statistics, backward


def leaky_relu(x: Array) -> tuple[Array, Callable]:
    """Input where positive, 0.3 times it elsewhere; backward takes any shape of as many values."""
    slope = np.where(x > 0, 1.0, LEAKY_SLOPE)
    return x * slope, lambda cotangent: cotangent.reshape(x.shape) * slope


def convolution(x: Array, kernel: Array, bias: Array, stride: int) -> tuple[Array, Callable]:
    """SAME convolution by a kernel (5, 5, in, out) plus bias; gradients of x and {kernel, bias}."""

    def backward(cotangent: Array) -> tuple[Array, Tree]:
        kernel_gradient = _kernel_gradient(x, kernel.shape, stride, cotangent)
        to_x = _input_gradient(x.shape, kernel, stride, cotangent)
        return to_x, {"kernel": kernel_gradient, "bias": cotangent.sum((0, 1, 2))}

    return _convolve(x, kernel, stride) + bias, backward


def transposed_convolution(x: Array, kernel: Array, stride: int) -> tuple[Array, Callable]:
    """Input gradient of the SAME convolution that leads from the result's shape to that of x.

    The kernel is (5, 5, out, in), the result `stride` times larger; gradients of x and the kernel.
    """
    batch, height, width, _ = x.shape
    shape = (batch, stride * height, stride * width, kernel.shape[2])

    def backward(cotangent: Array) -> tuple[Array, Array]:
        kernel_gradient = _kernel_gradient(cotangent, kernel.shape, stride, x)
        return _convolve(cotangent, kernel, stride), kernel_gradient

    return _input_gradient(shape, kernel, stride, x), backward


def _convolve(x: Array, kernel: Array, stride: int) -> Array:
    padded = np.pad(x, _padding(x.shape, kernel.shape, stride))
    return sum(patch @ kernel[tap] for tap, patch in _patches(padded, kernel.shape, stride))


def _kernel_gradient(x: Array, shape: tuple, stride: int, cotangent: Array) -> Array:
    padded = np.pad(x, _padding(x.shape, shape, stride))
    gradient = np.empty(shape)
    for tap, patch in _patches(padded, shape, stride):
        gradient[tap] = np.tensordot(patch, cotangent, ([0, 1, 2], [0, 1, 2]))
    return gradient


def _input_gradient(shape: tuple, kernel: Array, stride: int, cotangent: Array) -> Array:
    _, (top, _), (left, _), _ = padding = _padding(shape, kernel.shape, stride)
    padded = np.pad(np.zeros(shape), padding)
    for tap, patch in _patches(padded, kernel.shape, stride):
        patch += cotangent @ kernel[tap].T
    return padded[:, top : top + shape[1], left : left + shape[2]]


def _padding(shape: tuple, kernel_shape: tuple, stride: int) -> list[tuple[int, int]]:
    """SAME: ceil(size / stride) outputs; of an odd total the greater part comes after."""
    totals = [
        max((-(-size // stride) - 1) * stride + kernel_size - size, 0)
        for size, kernel_size in zip(shape[1:3], kernel_shape[:2], strict=True)
    ]
    return [(0, 0), *((total // 2, total - total // 2) for total in totals), (0, 0)]


def _patches(padded: Array, kernel_shape: tuple, stride: int) -> Iterator:
    """Each kernel tap, and the view of the padded input that it multiplies."""
    rows, columns = (padded.shape[axis + 1] - kernel_shape[axis] + 1 for axis in (0, 1))
    for i, j in np.ndindex(*kernel_shape[:2]):
        yield (i, j), padded[:, i : rows + i : stride, j : columns + j : stride]
