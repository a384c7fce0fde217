import hashlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import features
from gan_jax.common.errors import RequestError

SMALL = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)


def colours(pixels):
    """A feature network of a user: the mean of each colour."""
    return pixels.mean(axis=(1, 2))


def test_a_function_of_the_user():
    network = features.function(colours)
    extracted = network.extract(SMALL)
    np.testing.assert_allclose(extracted.features, SMALL.mean(axis=(1, 2)), rtol=1e-6)
    assert extracted.features.dtype == np.float32
    assert extracted.probabilities is None
    assert network.name == "tests.features.test_functions:colours"
    source = Path(__file__).read_text(encoding="utf-8")
    start = source.index("def colours")
    body = source[start : source.index("\n\n\n", start) + 1]
    assert network.sha256() == hashlib.sha256(body.encode()).hexdigest()


def failing(pixels):
    return pixels.reshape(7, 7)


def test_a_function_that_fails_is_named_with_its_line():
    with pytest.raises(
        RequestError, match=r"failing fails \(.*test_functions.py, line \d+\).*ValueError"
    ):
        features.function(failing).extract(SMALL)


def test_a_function_may_give_probabilities_and_be_compiled():
    @jax.jit
    def network(pixels):
        means = jnp.mean(pixels, axis=(1, 2), dtype=jnp.float32)
        return means, jax.nn.softmax(means)

    extracted = features.function(network).extract(SMALL)
    np.testing.assert_allclose(extracted.features, SMALL.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(extracted.probabilities.sum(1), 1, rtol=1e-5)
    assert len(features.function(network).sha256()) == 64


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda pixels: pixels, r"features of shape \(256, 8, 8, 3\) for 256 samples"),
        (lambda pixels: colours(pixels)[:3], r"features of shape \(3, 3\) for 256 samples"),
        (lambda pixels: colours(pixels) / 0 * 0, "features that are not finite"),
        (lambda pixels: (colours(pixels), 1.0), r"probabilities of shape \(\)"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_wrong_functions_are_refused(network, message):
    with pytest.raises(RequestError, match=message):
        features.function(network).extract(SMALL)
    with pytest.raises(RequestError, match=r"Function\.function = .*: must be a function"):
        features.function(3)
    with pytest.raises(RequestError, match="source code of builtins:sum cannot be read"):
        features.function(sum).sha256()
