import numpy as np

from gan_jax.features.network import BATCH, in_batches

SMALL = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)


def test_only_one_batch_size_is_compiled_or_called():
    shapes = set()

    def spy(pixels):
        shapes.add(pixels.shape)
        return pixels.reshape(len(pixels), -1)[:, :2], None

    extracted = in_batches(spy, np.repeat(SMALL, 60, axis=0))
    assert shapes == {(BATCH, 8, 8, 3)}
    assert extracted.features.shape == (300, 2)
    assert extracted.probabilities is None
