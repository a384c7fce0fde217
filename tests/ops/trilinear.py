"""The definition of what `gan_jax.ops` computes, and geometries to try it on."""

import numpy as np
from hypothesis import strategies as st

from gan_jax.ops.geometry import Geometry, convolution, transposed_convolution

GEOMETRIES = st.builds(
    lambda family, size, kernel, stride: family(size, kernel, stride),
    st.sampled_from([convolution, transposed_convolution]),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.sampled_from([1, 2, 3]),
)


def operands(geometry: Geometry) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A fine map, a kernel and a coarse map."""
    random = np.random.default_rng(0)
    shapes = (2, *geometry.fine, 3), (*geometry.kernel, 3, 4), (2, *geometry.coarse, 4)
    return tuple(random.normal(size=shape) for shape in shapes)


def trilinear(
    geometry: Geometry, fine, kernel, coarse
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three contractions by their definition, one position at a time."""
    down, up, gradient = (np.zeros_like(o) for o in (coarse, fine, kernel))
    for i, j in np.ndindex(*geometry.coarse):
        for a, b in np.ndindex(*geometry.kernel):
            row = geometry.stride * i + a - geometry.before[0]
            column = geometry.stride * j + b - geometry.before[1]
            if 0 <= row < geometry.fine[0] and 0 <= column < geometry.fine[1]:
                down[:, i, j] += fine[:, row, column] @ kernel[a, b]
                up[:, row, column] += coarse[:, i, j] @ kernel[a, b].T
                gradient[a, b] += fine[:, row, column].T @ coarse[:, i, j]
    return down, up, gradient
