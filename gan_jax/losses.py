"""Losses: pairs of functions of the discriminator's logits, one value for each example.

A loss is a frozen dataclass with the methods `discriminator(real_logits, fake_logits)` and
`generator(real_logits, fake_logits)`; each returns `[batch]` and the player minimises its mean.
The probability of being real is D(x) = sigmoid(logit) for cross-entropy; `LeastSquares` and `Hinge`
keep the sign only, and for `Wasserstein` and the relativistic losses a logit means something beside
another one only: a constant may be added to all of them. What reads logits as probabilities, or
their signs, asks a class for `log_odds = True` and `any_offset = True`. To add a loss, add such a
class here or in any file of your own.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gan_jax.common.errors import RequestError
from gan_jax.common.nesting import nested
from gan_jax.common.validation import check_bounds, check_object, check_types

Logits = Float[Array, "batch"]
softplus = jax.nn.softplus  # -log sigmoid(x) = softplus(-x) and -log(1 - sigmoid(x)) = softplus(x)


@dataclasses.dataclass(frozen=True)
class _CrossEntropy:
    """The discriminator's side of `NonSaturating` and `Minimax`.

    Attributes:
        label_smoothing: the discriminator's target for real examples is 1 - label_smoothing;
            one-sided, the target for fakes stays 0 (Salimans et al., 2016, section 3.4).
    """

    label_smoothing: float = 0.0

    log_odds = True  # the sigmoid of a logit is the probability of being real

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

    Goodfellow et al. (2014), section 3. In terms of logits it is softplus, and so also known as the
    logistic loss (Karras et al., 2019).

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


@dataclasses.dataclass(frozen=True)
class LeastSquares:
    """The discriminator regresses a and b, and the generator wants c: no sigmoid to saturate.

    Mao et al. (2017), equation 2, with a = -1, b = 1, c = 0 as in their equation 8, for which the
    generator minimises a Pearson chi-squared divergence, and logits have the sign that they have
    with other losses. Equation 9 is LeastSquares(0.0, 1.0, 1.0); half-way is a logit of 0.5 then.

    Attributes:
        fake_target: a, what the discriminator should say of fakes.
        real_target: b, what it should say of real examples.
        generator_target: c, what the generator wants it to say of fakes.
    """

    fake_target: float = -1.0
    real_target: float = 1.0
    generator_target: float = 0.0

    def __post_init__(self) -> None:
        check_types(self)

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns (D(x) - b)^2 / 2 + (D(G(z)) - a)^2 / 2 of each pair."""
        real = jnp.square(real_logits - self.real_target)
        return 0.5 * real + 0.5 * jnp.square(fake_logits - self.fake_target)

    def generator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns (D(G(z)) - c)^2 / 2 of each fake."""
        return 0.5 * jnp.square(fake_logits - self.generator_target)


@dataclasses.dataclass(frozen=True)
class Hinge:
    """The discriminator learns from what lies within its margin only.

    Lim and Ye (2017); Miyato et al. (2018), equations 16 and 17.
    """

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns max(0, 1 - D(x)) + max(0, 1 + D(G(z))) of each pair."""
        return jax.nn.relu(1 - real_logits) + jax.nn.relu(1 + fake_logits)

    def generator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns -D(G(z)) of each fake."""
        return -fake_logits


@dataclasses.dataclass(frozen=True)
class Wasserstein:
    """A critic whose mean difference estimates the Wasserstein distance.

    Arjovsky, Chintala, Bottou (2017), equations 2 and 3. That holds for a critic whose slope is
    bounded only: add `penalties.GradientPenalty` (or clip its weights, as they did).
    """

    any_offset = True  # a constant may be added to all logits

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns D(G(z)) - D(x) of each pair."""
        return fake_logits - real_logits

    def generator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns -D(G(z)) of each fake."""
        return -fake_logits


@dataclasses.dataclass(frozen=True)
class RelativisticPairing:
    """Each fake is judged against the real example beside it: RpGAN.

    Jolicoeur-Martineau (2019), with the logistic loss: RSGAN there. Its landscape has no basins in
    which modes are lost (Sun, Fang, Schwing, 2020).
    """

    any_offset = True

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns -log sigmoid(D(x) - D(G(z))) of each pair."""
        return softplus(fake_logits - real_logits)

    def generator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns -log sigmoid(D(G(z)) - D(x)) of each pair."""
        return softplus(real_logits - fake_logits)


@dataclasses.dataclass(frozen=True)
class RelativisticAverage:
    """Each example is judged against the mean of the other kind: RaGAN.

    Jolicoeur-Martineau (2019), with the logistic loss: RaSGAN there.
    """

    any_offset = True

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns -log sigmoid(D(x) - mean D(G(z))) - log(1 - sigmoid(D(G(z)) - mean D(x)))."""
        real = softplus(fake_logits.mean() - real_logits)
        return real + softplus(fake_logits - real_logits.mean())

    def generator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns the same with real and fake exchanged."""
        return self.discriminator(fake_logits, real_logits)


@dataclasses.dataclass(frozen=True)
class TopK:
    """The generator learns from its best fakes only, those with the largest logits.

    Sinha et al. (2020), section 3: the gradient of the poorest ones leads away from the data. Their
    share falls slowly from 1 to 0.5; here it is the same throughout.

    Attributes:
        loss: of both players.
        share: of the fakes that count, above 0 and at most 1.
    """

    loss: Any = NonSaturating()
    share: float = 0.5

    def __post_init__(self) -> None:
        check_types(self)
        check_object("TopK", "loss", self.loss, "discriminator generator", "NonSaturating()")
        if isinstance(self.loss, TopK):
            raise RequestError("TopK.loss is a TopK itself: give one of them the smaller share")
        if not 0 < self.share <= 1:
            raise RequestError(f"TopK.share = {self.share!r}: must be above 0 and at most 1")

    def discriminator(self, real_logits: Any, fake_logits: Any) -> Logits:
        """Returns what the loss returns."""
        return self.loss.discriminator(real_logits, fake_logits)

    def generator(self, real_logits: Any, fake_logits: Any) -> Logits:
        """Returns the loss of the best fakes, scaled to keep their mean, and 0 for others."""
        logits = getattr(fake_logits, "logits", fake_logits)  # with or without label losses
        count = max(round(self.share * len(logits)), 1)
        rank = jnp.argsort(jnp.argsort(-logits))
        best = self.loss.generator(real_logits, fake_logits) * (len(logits) / count)
        return jnp.where(rank < count, best, 0)


@dataclasses.dataclass(frozen=True)
class AuxiliaryClassifier:
    """The discriminator also tells the class, and the generator wants its fakes to be told.

    Odena, Olah, Shlens (2017), equations 2 and 3: L_S is `loss`, L_C the cross-entropy of the
    class. For discriminators that return `networks.conditions.AuxiliaryClassifierOutput`.

    Attributes:
        loss: of both players on the logits.
        weight: of the cross-entropy, in the losses of both players, at least 0.
    """

    loss: Any = NonSaturating()
    weight: float = 1.0

    def __post_init__(self) -> None:
        check_types(self)
        right = "NonSaturating()"
        check_object("AuxiliaryClassifier", "loss", self.loss, "discriminator generator", right)
        check_bounds(self, "weight", at_least=0)

    def discriminator(self, real: Any, fake: Any) -> Logits:
        """Returns the loss of the logits, and the cross-entropies of both kinds of examples."""
        label_losses = _label_losses(real) + _label_losses(fake)
        return self.loss.discriminator(real.logits, fake.logits) + self.weight * label_losses

    def generator(self, real: Any, fake: Any) -> Logits:
        """Returns the loss of the logits, and the cross-entropy of the fakes."""
        label_losses = _label_losses(fake)
        return self.loss.generator(real.logits, fake.logits) + self.weight * label_losses


def gives_log_odds(loss: Any) -> bool:
    """Whether the sigmoid of a logit is the probability of being real."""
    return any(getattr(each, "log_odds", False) for each in nested(loss, "loss"))


def allows_any_offset(loss: Any) -> bool:
    """Whether a constant may be added to all logits, so that their signs mean nothing."""
    return any(getattr(each, "any_offset", False) for each in nested(loss, "loss"))


def _label_losses(output: Any) -> Logits:
    if not hasattr(output, "label_losses"):
        raise RequestError(
            "AuxiliaryClassifier needs a discriminator that tells classes, "
            'resnet.Discriminator(classes=10, condition_by="classifier") for example'
        )
    return output.label_losses
