import flax.linen as nn
import pytest

from gan_jax.errors import RequestError
from gan_jax.networks import dcgan
from gan_jax.shapes import check_shapes
from tests.tiny import tiny


class TwoAxes(nn.Module):
    """A discriminator that forgets to drop its last axis."""

    @nn.compact
    def __call__(self, sample, condition=None, *, training):
        return nn.Dense(1)(sample.reshape(len(sample), -1))


def test_networks_that_do_not_fit_are_named():

    with pytest.raises(RequestError, match=r"generator makes samples of shape \(12, 12, 1\)"):
        check_shapes(tiny(generator=dcgan.Generator(width=2, image_size=12)))


def test_a_discriminator_must_return_one_logit_for_each_sample():
    with pytest.raises(RequestError, match=r"logits of shape \[batch\].*returns \[2, 1\]"):
        check_shapes(tiny(discriminator=TwoAxes()))


class Hasty:
    """A loss with a misspelled attribute, or one number for the whole batch."""

    margin = 1.0

    def discriminator(self, real_logits, fake_logits):
        return self.margn - real_logits

    def generator(self, real_logits, fake_logits):
        return -fake_logits


def test_an_error_in_ones_own_code_is_placed():
    with pytest.raises(RequestError, match=r"test_shapes\.py, line \d+\): AttributeError.*'margn'"):
        check_shapes(tiny(loss=Hasty()))


def test_a_loss_must_return_one_number_for_each_example(monkeypatch):
    monkeypatch.setattr(Hasty, "discriminator", lambda self, real, fake: (fake - real).mean())
    with pytest.raises(RequestError, match=r"loss\.discriminator must return \[batch\].* \[\]"):
        check_shapes(tiny(loss=Hasty()))
