"""Hyper-parameters that compiled steps take as arguments: one program for all their values."""

import dataclasses

import jax
import numpy as np
import pytest

from gan_jax import gan, losses
from gan_jax.common import traced_fields
from gan_jax.experiment import Experiment
from gan_jax.optimizers import Adam, from_optax
from gan_jax.penalties import R1
from tests.tiny import tiny


def changed(learning_rate=2e-4, gamma=3.0, ema_decay=0.9, b1=0.5) -> Experiment:
    return tiny(
        generator_optimizer=Adam(learning_rate, b1=b1),
        penalties=(R1(gamma),),
        ema_decay=ema_decay,
    )


def test_traced_hyperparameters_are_in_the_order_of_the_fields():
    assert changed().traced_hyperparameters == (3.0, 2e-4, 1e-4, 0.9)


def test_zero_may_switch_something_off_and_is_not_traced():
    assert changed(ema_decay=0.0).traced_hyperparameters == (3.0, 2e-4, 1e-4)
    assert changed(ema_decay=0.0).static != changed().static


def test_experiments_that_differ_in_hyperparameters_and_seed_share_programs():
    other = dataclasses.replace(changed(1e-3, 0.1, 0.5), seed=7)
    assert other != changed()
    assert other.static == changed().static
    assert hash(other.static) == hash(changed().static)


@pytest.mark.parametrize(
    "other", [changed(b1=0.9), dataclasses.replace(changed(), loss=losses.Minimax())]
)
def test_others_do_not(other):
    assert other.static != changed().static


def test_hyperparameters_are_put_back_into_their_places():
    assert (
        traced_fields.with_hyperparameters(changed().static, changed().traced_hyperparameters)
        == changed()
    )


def test_what_holds_no_traced_hyperparameters_is_kept_as_it_is():
    description = from_optax(jax.nn.relu, 0.0)
    assert traced_fields.without_hyperparameters(description) is description
    experiment = tiny()
    assert traced_fields.without_hyperparameters(experiment).generator is experiment.generator


def test_an_update_with_traced_hyperparameters_equals_one_with_constants():
    experiment = changed()
    state = gan.init(experiment, 0)
    batch = experiment.data.batch(0, 0, experiment.batch_size)

    def with_arguments(hyperparameters):
        resolved = traced_fields.with_hyperparameters(experiment.static, hyperparameters)
        return gan.update(resolved, state, batch)

    expected = jax.jit(lambda: gan.update(experiment, state, batch))()
    found = jax.jit(with_arguments)(np.array(experiment.traced_hyperparameters, np.float32))
    expected, found = (jax.tree.leaves(of) for of in (expected, found))
    for one, other in zip(expected, found, strict=True):
        if not jax.dtypes.issubdtype(one.dtype, jax.dtypes.prng_key):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
