import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.features.network import BATCH, check_samples, in_batches

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


@pytest.mark.parametrize("shape", [(300,), (300, 7), (300, 5, 2), (300, 2, 3, 4, 5)])
def test_samples_of_any_rank_and_type_go_through_in_batches(shape):
    samples = np.random.default_rng(0).integers(-9, 9, shape, dtype=np.int16)
    dtypes = set()

    def first(batch):
        dtypes.add(batch.dtype)
        return batch.reshape(len(batch), -1)[:, :1], None

    found = in_batches(first, samples).features
    np.testing.assert_array_equal(found, samples.reshape(300, -1)[:, :1])
    assert dtypes == {np.dtype(np.int16)}


@pytest.mark.parametrize(
    ("samples", "wanted", "message"),
    [
        (np.zeros((5, 3)), ("int16", (3,)), r"of type int16, shape \[count, 3\], not type float64"),
        (np.zeros((5, 4)), (None, (3,)), r"of shape \[count, 3\], not .* shape \(5, 4\); try"),
        (np.zeros((5, 4, 1)), (None, ("time", 2)), r"\[count, time, 2\], not .* \(5, 4, 1\); try"),
        (np.zeros((5, 4)), (None, (4, 1)), r"\[count, 4, 1\], not .* shape \(5, 4\)$"),
        (np.zeros((0, 3)), (None, None), r"shape \[count, \.\.\.\], not .* shape \(0, 3\)$"),
        (np.zeros(()), (None, None), r"not type float64, shape \(\)$"),
        ([1, 2], (None, None), r"not type list, shape \(2,\)$"),
    ],
)
def test_other_samples_are_refused(samples, wanted, message):
    with pytest.raises(RequestError, match=r"features waves take samples .*" + message):
        check_samples("waves", samples, *wanted, advice="; try another")


def test_samples_that_fit_pass():
    check_samples("waves", np.zeros((5, 8, 2), np.int16), "int16", ("time", 2))
    check_samples("waves", np.zeros(5))
