"""Wrappers that give labels to unconditional networks, and the auxiliary classifier's output."""

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
        logits: [batch].
        label_losses: cross-entropy of the label of each example, in nats, [batch].
    """

    logits: Float[Array, " batch"]
    label_losses: Float[Array, " batch"]


class Generator(nn.Module):
    """Any generator, with the label appended to its latent: the conditional GAN.

    Mirza and Osindero (2014), section 3.2.

    Attributes:
        inner: the generator.
        classes: number of labels.
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
        """Gives the inner generator latent numbers and one for each class."""
        label = one_hot(condition, self.classes, latent.dtype)
        return self.inner(jnp.concatenate([latent, label], axis=-1), None, training=training)


class Discriminator(nn.Module):
    """Any discriminator, with the label appended to each place of its sample.

    Mirza and Osindero (2014), for images as Radford et al. (2016) and others do it: one more
    channel for each class, the same everywhere.

    Attributes:
        inner: the discriminator.
        classes: number of labels.
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
        """Gives the inner discriminator channels and one for each class."""
        label = one_hot(condition, self.classes, sample.dtype)
        label = label.reshape(len(sample), *[1] * (sample.ndim - 2), self.classes)
        label = jnp.broadcast_to(label, (*sample.shape[:-1], self.classes))
        return self.inner(jnp.concatenate([sample, label], axis=-1), None, training=training)


def _refuse_classes(network: Any) -> None:
    """The inner network is given no labels."""
    if known := getattr(network.inner, "classes", 0):
        raise RequestError(
            f"{type(network).__name__}.inner.classes = {known}: takes labels itself; leave out one "
            "of the two"
        )


def one_hot(condition: Any, classes: int, dtype: Any) -> Float[Array, "batch classes"]:
    """Labels as vectors.

    Raises:
        RequestError: there are no labels.
    """
    check_condition(condition, classes)
    return jax.nn.one_hot(condition, classes, dtype=dtype)


def check_condition(condition: Any, classes: int) -> None:
    """Checks that there are labels where, and only where, a network wants them.

    Raises:
        RequestError: says what to change.
    """
    if classes and condition is None:
        raise RequestError(f"the networks take {classes} classes: give the data labels=True")
    if not classes and condition is not None:
        raise RequestError("the networks take no condition: give the data labels=False")


def label_losses(
    class_logits: Float[Array, "batch classes"], condition: Int32[Array, " batch"]
) -> Float[Array, " batch"]:
    """Cross-entropy of the labels, in nats."""
    return optax.softmax_cross_entropy_with_integer_labels(
        class_logits.astype(jnp.float32), condition
    )
