import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import logit_averages
from tests.tiny import init, tiny, update


@pytest.mark.parametrize("step", [0, 1, 9, 889, 890, 10**6])
def test_a_decay_warms_up(step):
    expected = min(0.99, (1 + step) / (10 + step))
    assert float(logit_averages.warmed_up(0.99, jnp.int32(step))) == pytest.approx(expected)


def test_averages_warm_up_and_then_decay():
    found, expected = logit_averages.start(), np.zeros(3)
    for step in (*range(12), 890, 891, 5000):
        real = jnp.array([1.0, -2.0, 4.0]) + step / 1000
        fake = jnp.array([-1.0, -3.0])
        found = logit_averages.moved(found, jnp.int32(step), real, fake)
        decay = min(0.99, (1 + step) / (10 + step))
        newest = [real.mean(), fake.mean(), np.sign(real).mean()]
        expected = decay * expected + (1 - decay) * np.array(newest)
        np.testing.assert_allclose(found[:3], expected, rtol=1e-5)


def test_an_update_follows_the_logits_of_its_last_discriminator_pass():
    experiment = tiny(discriminator_steps=2)
    state = init(experiment, 0)
    new, metrics = update(experiment, state, experiment.data.batch(0, 0, 32))
    # The first decay is 0.1.
    assert float(new.statistics.logit_real) == pytest.approx(0.9 * float(metrics["logit_real"]))
    assert float(new.statistics.logit_fake) == pytest.approx(0.9 * float(metrics["logit_fake"]))
    sign = 2 * float(metrics["accuracy_real"]) - 1
    assert float(new.statistics.sign_real) == pytest.approx(0.9 * sign, abs=1e-6)
    assert float(new.statistics.augmentation) == 0
