import numpy as np
import pytest

from gan_jax import features
from gan_jax.common.errors import RequestError
from gan_jax.features import named

SMALL = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1), np.uint8)


def test_networks_are_named_by_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_own_features.py").write_text("def mean(pixels): return pixels.mean((1, 2))\n")
    assert named.from_text("mnist") == features.mnist()
    assert named.from_text("a/b.npz") == features.classifier("a/b.npz")
    network = named.from_text("my_own_features:mean")
    assert network.name == "my_own_features:mean"
    np.testing.assert_allclose(network.extract(SMALL).features, SMALL.mean((1, 2)), rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mnits", "features 'mnits': give mnist or spoken_digits, .*; did you mean 'mnist'"),
        ("", "features ''"),
        ("os:", "features 'os:'"),
        ("no.such.module:f", "features no.such.module:f cannot be imported: ModuleNotFoundError"),
        ("os:nothing", "features os:nothing cannot be imported: AttributeError"),
        ("os:sep", "must be a function"),
    ],
)
def test_text_that_names_no_network_is_refused(text, message):
    with pytest.raises(RequestError, match=message):
        named.from_text(text)
