import gc
import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.data import images
from gan_jax.data.order import batch_indices
from gan_jax.data.stream import stream


@dataclass(frozen=True)
class Waves:
    """A data set that is no set of images."""

    def indices(self, seed, step, batch_size):
        return batch_indices(40, seed, step, batch_size)

    def gather(self, indices):
        return {"sample": np.sin(indices[:, None] * np.arange(9.0)), "label": None}


@pytest.mark.parametrize("dataset", [images.mnist_sample("test", labels=True), Waves()])
def test_stream_equals_gathering_each_step(dataset):
    streamed = list(stream(dataset, seed=2, start=150, stop=190, batch_size=33))
    assert len(streamed) == 40
    for step, batch in zip(range(150, 190), streamed, strict=True):
        expected = dataset.gather(dataset.indices(2, step, 33))
        assert batch.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(batch[name], value)


def test_no_steps_no_batches():
    assert list(stream(Waves(), seed=0, start=7, stop=7, batch_size=4)) == []


def test_it_may_start_far_in():
    (batch,) = stream(Waves(), seed=0, start=10**12, stop=10**12 + 1, batch_size=4)
    expected = Waves().gather(Waves().indices(0, 10**12, 4))
    np.testing.assert_array_equal(batch["sample"], expected["sample"])


def test_refusals_reach_the_reader():
    with pytest.raises(RequestError, match="batch_size must be between 1 and"):
        next(stream(Waves(), seed=0, start=0, stop=9, batch_size=41))


@pytest.mark.parametrize("end", ["close", "drop", "exhaust", "fail"])
def test_threads_end_with_the_iterator(end):
    before = set(threading.enumerate())
    batches = stream(Waves(), seed=0, start=0, stop=5 if end == "exhaust" else 10**9, batch_size=4)
    next(batches)
    assert end == "exhaust" or set(threading.enumerate()) - before
    if end == "close":
        batches.close()
    elif end == "exhaust":
        list(batches)
    elif end == "fail":
        with pytest.raises(KeyboardInterrupt):
            batches.throw(KeyboardInterrupt)
    del batches
    gc.collect()
    for _ in range(100):
        if set(threading.enumerate()) <= before:
            return
        time.sleep(0.1)
    raise AssertionError(f"still there: {set(threading.enumerate()) - before}")
