"""Conditioning on labels: wrappers for unconditional networks, and an output with classes."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int32

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_object, check_types


class AuxiliaryClassifierOutput(NamedTuple):
    """The output of a discriminator that also classifies, for `losses.AuxiliaryClassifier`.

    Attributes:
        logits: real-or-fake logits, [batch].
        label_losses: cross-entropy of each example's label, in nats, [batch].
    """

    logits: Float[Array, " batch"]
    label_losses: Float[Array, " batch"]


class Generator(nn.Module):
    """Wraps an unconditional generator: appends the one-hot label to the latent.

    The conditional GAN of Mirza and Osindero (2014), section 3.2.

    Attributes:
        inner: the wrapped generator.
        classes: number of classes, at least 2.
    """

    inner: Any
    classes: int

    def __post_init__(self) -> None:
        check_types(self)
        check_object("Generator", "inner", self.inner, "init apply", "dcgan.Generator()")
        _refuse_classes(self)
        check_bounds(self, "classes", at_least=2)
        super().__post_init__()

    @nn.compact
    def __call__(
        self,
        latent: Float[Array, "batch latent"],
        condition: Int32[Array, " batch"] | None = None,
        *,
        training: bool,
    ) -> Float[Array, "batch ..."]:
        """Maps latents and labels in [0, classes) to samples.

        Raises:
            RequestError: there are no labels.
        """
        label = one_hot(condition, self.classes, latent.dtype)
        return self.inner(jnp.concatenate([latent, label], axis=-1), None, training=training)


class Discriminator(nn.Module):
    """Wraps an unconditional discriminator: appends the one-hot label to the sample's channels.

    Mirza and Osindero (2014); for images as Radford et al. (2016) and others do it, with one
    further channel per class that is constant over the image.

    Attributes:
        inner: the wrapped discriminator.
        classes: number of classes, at least 2.
    """

    inner: Any
    classes: int

    def __post_init__(self) -> None:
        check_types(self)
        check_object("Discriminator", "inner", self.inner, "init apply", "dcgan.Discriminator()")
        _refuse_classes(self)
        check_bounds(self, "classes", at_least=2)
        super().__post_init__()

    @nn.compact
    def __call__(
        self,
        sample: Float[Array, "batch *places channels"],
        condition: Int32[Array, " batch"] | None = None,
        *,
        training: bool,
    ) -> Float[Array, " batch"]:
        """Maps samples and labels in [0, classes) to the wrapped discriminator's output.

        Raises:
            RequestError: there are no labels.
        """
        label = one_hot(condition, self.classes, sample.dtype)
        label = label.reshape(len(sample), *[1] * (sample.ndim - 2), self.classes)
        label = jnp.broadcast_to(label, (*sample.shape[:-1], self.classes))
        return self.inner(jnp.concatenate([sample, label], axis=-1), None, training=training)


def _refuse_classes(network: Any) -> None:
    """Checks that the wrapped network takes no labels itself."""
    if known := getattr(network.inner, "classes", 0):
        raise RequestError(
            f"{type(network).__name__}.inner.classes = {known}: the wrapped network takes labels "
            "itself; use it without the wrapper, or set its classes to 0"
        )


def one_hot(condition: Any, classes: int, dtype: Any) -> Float[Array, "batch classes"]:
    """Returns labels [batch] as one-hot vectors.

    Raises:
        RequestError: there are no labels.
    """
    check_condition(condition, classes)
    return jax.nn.one_hot(condition, classes, dtype=dtype)


def check_condition(condition: Any, classes: int) -> None:
    """Checks that there are labels if and only if the network takes them.

    Raises:
        RequestError: a conditional network gets no labels, or an unconditional one gets some.
    """
    if classes and condition is None:
        raise RequestError(f"the networks take {classes} classes: give the data labels=True")
    if not classes and condition is not None:
        raise RequestError("the networks take no condition: give the data labels=False")


def label_losses(
    class_logits: Float[Array, "batch classes"], condition: Int32[Array, " batch"]
) -> Float[Array, " batch"]:
    """Returns the cross-entropy of each example's label, in nats, in float32."""
    return optax.softmax_cross_entropy_with_integer_labels(
        class_logits.astype(jnp.float32), condition
    )
