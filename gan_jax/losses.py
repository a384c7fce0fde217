"""Losses: pairs of functions of the discriminator's logits, one value for each example.

A loss is a frozen dataclass with the methods `discriminator(real_logits, fake_logits)` and
`generator(real_logits, fake_logits)`; each returns `[batch]` and the player minimises its mean.
The probability of being real is D(x) = sigmoid(logit). To add a loss, add such a class here or
in any file of your own; nothing else needs to know of it.
"""

import dataclasses

import jax
from jaxtyping import Array, Float

from gan_jax.checks import check_bounds, check_types

Logits = Float[Array, "batch"]
softplus = jax.nn.softplus  # -log sigmoid(x) = softplus(-x) and -log(1 - sigmoid(x)) = softplus(x)


@dataclasses.dataclass(frozen=True)
class _CrossEntropy:
    """The discriminator's side of both losses.

    Attributes:
        label_smoothing: the discriminator's target for real examples is 1 - label_smoothing;
            one-sided, the target for fakes stays 0 (Salimans et al., 2016, section 3.4).
    """

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "label_smoothing", at_least=0, below=1)

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Cross-entropy of each pair: real against 1 - label_smoothing, fake against 0."""
        target = 1 - self.label_smoothing
        real = target * softplus(-real_logits) + self.label_smoothing * softplus(real_logits)
        return real + softplus(fake_logits)


@dataclasses.dataclass(frozen=True)
class NonSaturating(_CrossEntropy):
    """The generator maximises log D(G(z)): strong gradients where the fakes are poor.

    Goodfellow et al. (2014), section 3.

    Attributes:
        label_smoothing: how far the target for real examples lies below 1, in [0, 1).
    """

    def generator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns -log D(G(z)) for each fake."""
        return softplus(-fake_logits)


@dataclasses.dataclass(frozen=True)
class Minimax(_CrossEntropy):
    """The objective as first published: the generator minimises log(1 - D(G(z))).

    Goodfellow et al. (2014), equation 1. Its gradient vanishes where the discriminator is sure of
    the fakes, which is what `NonSaturating` mends.

    Attributes:
        label_smoothing: how far the target for real examples lies below 1, in [0, 1).
    """

    def generator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns log(1 - D(G(z))) for each fake."""
        return -softplus(fake_logits)
