"""The definition of what `gan_jax.ops` computes."""

import numpy as np


def trilinear(geometry, fine, kernel, coarse) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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
