"""Random weights and images for Inception-v3, and what is compared of its maps.

All come from NumPy's RandomState, whose numbers never change, so that only the summaries of another
implementation's maps are stored (`benchmarks/inception_fixtures.py`).
"""

import math
import zlib
from collections.abc import Mapping

import numpy as np

BLOCKS = [
    *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"),
    *("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d"),
    *("Mixed_6e", "Mixed_7a", "Mixed_7b", "Mixed_7c"),
]
SIZES = [(28, 28), (32, 48), (299, 299), (350, 310)]  # height and width of an image each
ENTRIES = 40  # of each tensor of each image


def weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Float32 arrays by name and shape of the checkpoint; each depends on its name only.

    Kernels are uniform with the variance 2 / inputs of He et al. (2015), statistics and gains are
    not those of a new BatchNorm, and the maps stay near 1 through all blocks.
    """
    return {name: _array(name, shape) for name, shape in shapes.items()}


def _array(name: str, shape: tuple[int, ...]) -> np.ndarray:
    random = np.random.RandomState(zlib.crc32(name.encode()))
    bound = math.sqrt(6 / math.prod(shape[1:]))
    low, high = {
        "conv.weight": (-bound, bound),
        "bn.weight": (0.7, 1.2),
        "bn.bias": (-0.2, 0.3),
        "bn.running_mean": (-0.3, 0.3),
        "bn.running_var": (0.5, 1.5),
        "fc.weight": (-bound, bound),
        "fc.bias": (-1, 1),
    }[".".join(name.split(".")[-2:])]
    return random.uniform(low, high, shape).astype(np.float32)


def images() -> list[np.ndarray]:
    """A uint8 RGB image of each size: smooth waves with some noise."""
    random = np.random.RandomState(0)
    return [_image(random, *size) for size in SIZES]


def _image(random: np.random.RandomState, height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width, :1][:2]
    waves = np.sin(x * random.uniform(0, 0.5, 3) + y * random.uniform(0, 0.5, 3))
    return np.uint8(127.5 + 100 * waves + random.uniform(-27, 27, (height, width, 3)))


def summary(maps: np.ndarray) -> np.ndarray:
    """Mean, standard deviation and entries at fixed places of each image, [images, 2 + ENTRIES].

    Args:
        maps: [images, ...], channels last.
    """
    flat = np.asarray(maps, np.float64).reshape(len(maps), -1)
    places = np.random.RandomState(flat.shape[1]).randint(0, flat.shape[1], ENTRIES)
    return np.column_stack([flat.mean(1), flat.std(1), flat[:, places]])
