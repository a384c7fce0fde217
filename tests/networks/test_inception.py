"""Inception-v3 against torch-fidelity's with the same random weights, block by block.

`benchmarks/inception_fixtures.py` made what is compared.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.networks.inception import (
    Inception,
    checkpoint_shapes,
    from_checkpoint,
    prepare,
    resize,
)
from tests.networks.inception_case import BLOCKS, ENTRIES, SIZES, images, summary, weights

TOLERANCE = 1e-5  # of float32, relative to the largest magnitude; 2e-6 is the largest seen


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return weights(checkpoint_shapes())


@pytest.fixture(scope="module")
def maps(arrays) -> dict[str, np.ndarray]:
    """Our maps, by the names of what is stored of the other implementation's."""
    prepared = jnp.concatenate([prepare(jnp.asarray(image)[None]) for image in images()])

    @jax.jit
    def run(variables, x):
        return Inception().apply(variables, x, capture_intermediates=True)

    outputs, captured = run(from_checkpoint(arrays, "drawn.pth"), prepared)
    blocks = {name: captured["intermediates"][name]["__call__"][0] for name in BLOCKS}
    ends = {"2048": outputs.features, "logits_unbiased": outputs.logits}
    return {"prepared": prepared, **blocks, **ends}


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parent / "inception.npz") as file:
        return dict(file)


@pytest.mark.parametrize("name", ["prepared", *BLOCKS, "2048", "logits_unbiased"])
def test_every_block_equals_the_peer(name, maps, stored):
    assert stored[name].shape == (len(SIZES), 2 + ENTRIES)
    error = np.abs(summary(maps[name]) - stored[name]).max(1) / np.abs(stored[name]).max(1)
    assert error.max() < TOLERANCE


@pytest.mark.parametrize("height, width", [(28, 28), (32, 57), (299, 299), (400, 640), (1, 2)])
def test_resizing_a_ramp_shows_where_pixels_are_taken(height, width):
    """Pixel i lies at i * length / 299, and beyond the last pixel nothing changes any more."""
    ramp = np.float32(np.arange(height)[:, None] - 2 * np.arange(width))
    y = np.minimum(np.arange(299) * height / 299, height - 1)
    x = np.minimum(np.arange(299) * width / 299, width - 1)
    resized = resize(jnp.asarray(ramp)[None, :, :, None])
    np.testing.assert_allclose(resized[0, :, :, 0], y[:, None] - 2 * x, atol=2e-4)


def test_prepares_all_pixel_values():
    pixels = np.repeat(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1), 3, axis=3)
    prepared = prepare(jnp.asarray(pixels))
    assert (prepared.shape, prepared.dtype) == ((1, 299, 299, 3), np.float32)
    assert (prepared.min(), prepared.max()) == (-1, 127 / 128)


def test_takes_every_array_of_the_checkpoint_once(arrays):
    variables = from_checkpoint(arrays, "drawn.pth")
    assert len(jax.tree.leaves(variables)) == len(arrays) == 5 * 94 + 1
    assert sum(leaf.size for leaf in jax.tree.leaves(variables)) == 23_884_384
    left_out = {
        "fc.bias": np.zeros(1008, np.float32),
        "Mixed_5b.branch1x1.bn.num_batches_tracked": np.array(0),
        "AuxLogits.fc.bias": np.zeros(1000, np.float32),
    }
    assert len(jax.tree.leaves(from_checkpoint(arrays | left_out, "drawn.pth"))) == len(arrays)


def test_names_arrays_that_do_not_fit(arrays):
    name = "Mixed_6b.branch7x7_2.conv.weight"
    drawn = arrays[name]
    assert f"lacks {name}" in refusal({k: v for k, v in arrays.items() if k != name})
    assert "unknown Mixed_8a.weight" in refusal(arrays | {"Mixed_8a.weight": drawn})
    assert "lacks" in (several := refusal({"one": drawn, "two": drawn}))
    assert "and 467 more; it has the unknown one, two" in several
    for wrong in (drawn.transpose(0, 1, 3, 2), drawn.astype(np.int32), drawn * np.float32("nan")):
        found = f"unfit {name}, {wrong.dtype} {list(wrong.shape)} for finite float32 [128, 128"
        assert found in refusal(arrays | {name: wrong})


def refusal(arrays: dict[str, np.ndarray]) -> str:
    with pytest.raises(RequestError, match=r"drawn\.pth") as raised:
        from_checkpoint(arrays, "drawn.pth")
    return str(raised.value)
