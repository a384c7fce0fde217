import flax.linen as nn
import jax
import numpy as np
import pytest

from gan_jax import gan, losses
from gan_jax.augmentation import Adaptive
from gan_jax.common.errors import RequestError
from gan_jax.data import images
from gan_jax.networks import conditions, dcgan, resnet
from gan_jax.training import preflight
from gan_jax.training.preflight import (
    check_classes,
    check_memory,
    check_shapes,
    fitted_values,
)
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
    with pytest.raises(
        RequestError, match=r"test_preflight\.py, line \d+\): AttributeError.*'margn'"
    ):
        check_shapes(tiny(loss=Hasty()))


def test_a_loss_must_return_one_number_for_each_example(monkeypatch):
    monkeypatch.setattr(Hasty, "discriminator", lambda self, real, fake: (fake - real).mean())
    with pytest.raises(RequestError, match=r"loss\.discriminator must return \[batch\].* \[\]"):
        check_shapes(tiny(loss=Hasty()))


@pytest.mark.parametrize("loss", [losses.Wasserstein(), losses.TopK(losses.RelativisticPairing())])
def test_adaptive_augmentation_needs_signs_that_mean_something(loss):
    with pytest.raises(
        RequestError, match=r"signs of logits, which mean nothing with .*without Adaptive"
    ):
        check_shapes(tiny(loss=loss, augmentations=(Adaptive(),)))


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_networks_must_know_all_classes(player):
    data = images.mnist_sample(split="test", size=8, labels=True)
    networks = {
        "generator": conditions.Generator(dcgan.Generator(width=2, image_size=8), 10),
        "discriminator": conditions.Discriminator(dcgan.Discriminator(width=2), 10),
    }
    check_classes(tiny(data=data, **networks))
    networks[player] = networks[player].clone(classes=9)
    with pytest.raises(RequestError, match=rf"{player}\.classes = 9: the data have 10 classes"):
        check_classes(tiny(data=data, **networks))


def test_a_discriminator_that_tells_classes_needs_a_loss_for_it():
    networks = {
        "generator": resnet.Generator(width=2, image_size=28, image_channels=1, classes=10),
        "discriminator": resnet.Discriminator(width=2, classes=10, condition_by="classifier"),
    }
    data = images.mnist_sample(split="test", labels=True)
    with pytest.raises(
        RequestError, match=r"take the AuxiliaryClassifierOutput .* losses\.AuxiliaryClassifier"
    ):
        check_shapes(tiny(data=data, **networks))


@pytest.mark.parametrize(
    ("changes", "largest"),
    [
        (
            {"generator": dcgan.Generator(width=10**7, image_size=8)},
            r"generator = Generator\(w",
        ),
        ({"latent_size": 10**9}, r"generator = .* state, latent_size = 1000000000, takes"),
        ({"discriminator": dcgan.Discriminator(width=10**7)}, r"discriminator = Discriminator\(w"),
        ({"batch_size": 10**9}, r"a batch of batch_size = 1000000000 samples of \[8, 8, 1\] takes"),
        ({"discriminator_steps": 10**9}, "a batch of batch_size = 16"),
        ({"evaluate_every": 1, "evaluate_samples": 2**31 - 1}, "evaluate_samples = 2147483647: d"),
    ],
)
def test_what_does_not_fit_into_memory_is_refused_before_it_is_made(monkeypatch, changes, largest):
    monkeypatch.setattr(preflight.devices, "memory_bytes", lambda: 2**34)
    with pytest.raises(RequestError, match=rf"^{largest}.* the memory of a device is 16 GiB"):
        check_memory(tiny(**changes))


def test_what_fits_into_memory_passes(monkeypatch):
    """The estimate counts every array of the state, and is less than what training takes."""
    state = jax.eval_shape(lambda: gan.init(tiny(), 0))
    arrays = [*jax.tree.leaves(state.generator), *jax.tree.leaves(state.discriminator)]
    least = sum(leaf.size * leaf.dtype.itemsize for leaf in arrays)
    check_memory(tiny(), available=least + 16 * 64 * 10)
    with pytest.raises(RequestError, match="training needs at least"):
        check_memory(tiny(), available=least)
    with pytest.raises(RequestError, match="training with 9 seeds needs at least"):
        check_memory(tiny(), 9, available=least + 16 * 64 * 10)


def test_shapes_of_a_batch_beyond_memory_are_checked_without_it():
    check_shapes(tiny(batch_size=2**30, latent_size=2**20))


def test_what_cannot_be_built_is_for_the_check_of_shapes_to_explain():
    class Broken(nn.Module):
        @nn.compact
        def __call__(self, sample, condition=None, *, training):
            raise ValueError("broken")

    check_memory(tiny(discriminator=Broken()))
    with pytest.raises(RequestError, match="ValueError: broken"):
        check_shapes(tiny(discriminator=Broken()))


def test_what_a_run_records_of_its_data_must_be_for_json():
    class Data:
        def __init__(self, found):
            self.fitted = lambda: found

    for found in ([1], {"mean": np.zeros(2)}, {"mean": 0.0}):  # the last without with_fitted
        with pytest.raises(RequestError, match=r"Data\.fitted must return None, or a dictionary"):
            fitted_values(Data(found))
    assert fitted_values(Data(None)) is None
