import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_jax.common.errors import RequestError
from gan_jax.data.order import batch_indices


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 60), seed=st.integers(0, 2**70), data=st.data())
def test_every_epoch_has_each_example_exactly_once(count, seed, data):
    batch_size = data.draw(st.integers(1, count))
    batches = [batch_indices(count, seed, step, batch_size) for step in range(count)]
    epochs = np.concatenate(batches).reshape(batch_size, count)
    assert (np.sort(epochs, axis=1) == np.arange(count)).all()
    assert {(batch.shape, batch.dtype) for batch in batches} == {
        ((batch_size,), np.dtype(np.int32))
    }


def test_order_does_not_depend_on_the_batch_size():
    one = np.concatenate([batch_indices(100, 3, step, 1) for step in range(700)])
    seven = np.concatenate([batch_indices(100, 3, step, 7) for step in range(100)])
    assert (one == seven).all()


def test_epochs_and_seeds_differ():
    orders = [tuple(batch_indices(50, seed, step, 50)) for seed in range(5) for step in range(5)]
    assert len(set(orders)) == 25


def test_positions_are_uniform():
    # 2,000 permutations of 5: each example at each place 400 times, standard deviation 18.
    orders = np.stack([batch_indices(5, 0, step, 5) for step in range(2000)])
    counts = np.stack([(orders == example).sum(axis=0) for example in range(5)])
    assert abs(counts - 400).max() < 5 * 18


def test_same_order_as_ever():
    # If these change, runs no longer resume to the same batches: only ever change them on purpose.
    assert batch_indices(10, 0, 0, 10).tolist() == [6, 3, 8, 1, 4, 5, 9, 2, 7, 0]
    assert batch_indices(10, 7, 10**12, 4).tolist() == [1, 0, 7, 4]


def test_same_order_in_another_process():
    code = (
        "from gan_jax.data.order import batch_indices\n"
        "print(batch_indices(1000, 5, 123456, 300).tolist())"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    assert output.stdout.strip() == str(batch_indices(1000, 5, 123456, 300).tolist())


def test_numpy_integers_are_integers():
    step = np.int64(4)
    assert (batch_indices(30, np.uint32(1), step, 20) == batch_indices(30, 1, 4, 20)).all()


def test_returned_batches_cannot_alter_later_ones():
    before = batch_indices(10, 0, 0, 5).copy()
    with pytest.raises(ValueError, match="read-only"):
        batch_indices(10, 0, 0, 5)[:] = 0
    assert (batch_indices(10, 0, 0, 5) == before).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((10, 0, 0, 11), "batch_size must be between 1 and the number of examples, 10, not 11"),
        ((10, 0, 0, 0), "batch_size must be between 1"),
        ((10, -1, 0, 5), "seed must not be negative, but is -1"),
        ((10, 0, -3, 5), "step must not be negative, but is -3"),
        ((10, 0, 1.0, 5), "step must be an integer, not float 1.0"),
        ((10, True, 0, 5), "seed must be an integer, not bool True"),
    ],
)
def test_wrong_requests_are_refused(arguments, message):
    with pytest.raises(RequestError, match=message):
        batch_indices(*arguments)
