"""Losses of the discriminator and the generator, as functions of logits.

A loss is a frozen dataclass with two methods, `discriminator(real_logits, fake_logits)` and
`generator(real_logits, fake_logits)`. Each takes logits of shape [batch] and returns losses of
shape [batch]; the player minimises their mean. To add a loss, write such a class here or in a file
of your own.

What a logit means depends on the loss, and a class says so in two attributes:

- `log_odds = True`: the probability of being real is D(x) = sigmoid(logit). So it is for the
  cross-entropy losses; for `LeastSquares` and `Hinge` only the sign of a logit has a meaning.
- `any_offset = True`: only differences of logits have a meaning, as for `Wasserstein` and the
  relativistic losses: adding a constant to all logits changes nothing.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from gan_jax.common.errors import RequestError
from gan_jax.common.nesting import nested
from gan_jax.common.validation import check_bounds, check_object, check_types

Logits = Float[Array, "batch"]
softplus = jax.nn.softplus  # -log sigmoid(x) = softplus(-x) and -log(1 - sigmoid(x)) = softplus(x)


@dataclasses.dataclass(frozen=True)
class _CrossEntropy:
    """The discriminator's loss of `NonSaturating` and `Minimax`.

    Attributes:
        label_smoothing: how far the target for real examples lies below 1, in [0, 1). Smoothing is
            one-sided: the target for fakes stays 0 (Salimans et al., 2016, section 3.4).
    """

    label_smoothing: float = 0.0

    log_odds = True  # the sigmoid of a logit is the probability of being real

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "label_smoothing", at_least=0, below=1)

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns the cross-entropy of each pair: targets 1 - label_smoothing (real), 0 (fake)."""
        target = 1 - self.label_smoothing
        real = target * softplus(-real_logits) + self.label_smoothing * softplus(real_logits)
        return real + softplus(fake_logits)


@dataclasses.dataclass(frozen=True)
class NonSaturating(_CrossEntropy):
    """The generator maximises log D(G(z)), which has strong gradients where the fakes are poor.

    Goodfellow et al. (2014), section 3. As a function of the logits it is a softplus, and is also
    known as the logistic loss (Karras et al., 2019).

    Attributes:
        label_smoothing: how far the target for real examples lies below 1, in [0, 1); the target
            for fakes stays 0 (Salimans et al., 2016, section 3.4).
    """

    def generator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns -log D(G(z)) for each fake."""
        return softplus(-fake_logits)


@dataclasses.dataclass(frozen=True)
class Minimax(_CrossEntropy):
    """The original minimax objective: the generator minimises log(1 - D(G(z))).

    Goodfellow et al. (2014), equation 1. Its gradient vanishes where the discriminator confidently
    rejects the fakes; `NonSaturating` avoids that.

    Attributes:
        label_smoothing: how far the target for real examples lies below 1, in [0, 1); the target
            for fakes stays 0 (Salimans et al., 2016, section 3.4).
    """

    def generator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns log(1 - D(G(z))) for each fake."""
        return -softplus(fake_logits)


@dataclasses.dataclass(frozen=True)
class LeastSquares:
    """Least-squares GAN: both players regress the logits to targets, so nothing saturates.

    Mao et al. (2017), equation 2. The defaults a = -1, b = 1, c = 0 are those of their equation 8,
    with which the generator minimises a Pearson chi-squared divergence; as with the other losses,
    a positive logit then means real. Equation 9 is `LeastSquares(0.0, 1.0, 1.0)`, with which the
    boundary between fake and real is a logit of 0.5.

    Attributes:
        fake_target: a, the discriminator's target for fakes.
        real_target: b, the discriminator's target for real examples.
        generator_target: c, the generator's target for its fakes.
    """

    fake_target: float = -1.0
    real_target: float = 1.0
    generator_target: float = 0.0

    def __post_init__(self) -> None:
        check_types(self)

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns (D(x) - b)^2 / 2 + (D(G(z)) - a)^2 / 2 for each pair, where D is the logit."""
        real = jnp.square(real_logits - self.real_target)
        return 0.5 * real + 0.5 * jnp.square(fake_logits - self.fake_target)

    def generator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns (D(G(z)) - c)^2 / 2 for each fake, where D is the logit."""
        return 0.5 * jnp.square(fake_logits - self.generator_target)


@dataclasses.dataclass(frozen=True)
class Hinge:
    """Hinge loss: the discriminator ignores examples on the right side of its margin.

    Lim and Ye (2017); Miyato et al. (2018), equations 16 and 17.
    """

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns max(0, 1 - D(x)) + max(0, 1 + D(G(z))) for each pair, where D is the logit."""
        return jax.nn.relu(1 - real_logits) + jax.nn.relu(1 + fake_logits)

    def generator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns -D(G(z)) for each fake, where D is the logit."""
        return -fake_logits


@dataclasses.dataclass(frozen=True)
class Wasserstein:
    """Wasserstein loss: the critic's mean difference estimates the Wasserstein distance.

    Arjovsky, Chintala, Bottou (2017), equations 2 and 3. This holds only for a critic whose slope
    is bounded: add `penalties.GradientPenalty`, or clip the critic's weights as they did
    (`optimizers.clip_weights`).
    """

    any_offset = True

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns D(G(z)) - D(x) for each pair, where D is the critic's output."""
        return fake_logits - real_logits

    def generator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns -D(G(z)) for each fake, where D is the critic's output."""
        return -fake_logits


@dataclasses.dataclass(frozen=True)
class RelativisticPairing:
    """Relativistic pairing GAN (RpGAN): each fake is compared with one real example.

    Jolicoeur-Martineau (2019), with the logistic loss, there called RSGAN. Its loss landscape has
    no bad basins in which modes are lost (Sun, Fang, Schwing, 2020).
    """

    any_offset = True

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns -log sigmoid(D(x) - D(G(z))) for each pair, where D is the logit."""
        return softplus(fake_logits - real_logits)

    def generator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns -log sigmoid(D(G(z)) - D(x)) for each pair, where D is the logit."""
        return softplus(real_logits - fake_logits)


@dataclasses.dataclass(frozen=True)
class RelativisticAverage:
    """Relativistic average GAN (RaGAN): each logit is compared with the mean of the other kind.

    Jolicoeur-Martineau (2019), with the logistic loss, there called RaSGAN.
    """

    any_offset = True

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns -log sigmoid(D(x) - mean D(G(z))) - log(1 - sigmoid(D(G(z)) - mean D(x)))."""
        real = softplus(fake_logits.mean() - real_logits)
        return real + softplus(fake_logits - real_logits.mean())

    def generator(self, real_logits: Logits, fake_logits: Logits) -> Logits:
        """Returns the discriminator's loss with real and fake exchanged."""
        return self.discriminator(fake_logits, real_logits)


@dataclasses.dataclass(frozen=True)
class TopK:
    """Wraps a loss so that the generator learns only from its fakes with the largest logits.

    Sinha et al. (2020), section 3: the gradients of the poorest fakes point away from the data. In
    the paper the fraction that is kept decays from 1 to 0.5 over training; here it is constant.

    Attributes:
        loss: the wrapped loss; the discriminator's part of it is unchanged.
        fraction: fraction of the fakes in each batch that is kept, in (0, 1].
    """

    loss: Any = NonSaturating()
    fraction: float = 0.5

    def __post_init__(self) -> None:
        check_types(self)
        check_object("TopK", "loss", self.loss, "discriminator generator", "NonSaturating()")
        if getattr(self.loss, "needs_labels", False):
            raise RequestError(
                f"TopK.loss = {self.loss}: needs labels, which are not those of the kept fakes"
            )
        if isinstance(self.loss, TopK):
            raise RequestError("TopK.loss is itself a TopK: use one, with the smaller fraction")
        if not 0 < self.fraction <= 1:
            raise RequestError(f"TopK.fraction = {self.fraction!r}: must be above 0 and at most 1")

    def discriminator(self, real_logits: Any, fake_logits: Any) -> Logits:
        """Returns the wrapped loss's discriminator loss."""
        return self.loss.discriminator(real_logits, fake_logits)

    def generator(self, real_logits: Any, fake_logits: Any) -> Logits:
        """Returns the kept fakes' losses, scaled so that the batch mean is theirs, else 0.

        A loss that compares fakes with real examples sees only the kept fakes, each with the real
        example of its own position. All leaves of the discriminator's output have the batch as
        their first axis.
        """
        logits = getattr(fake_logits, "logits", fake_logits)  # which may come with label losses
        count = max(round(self.fraction * len(logits)), 1)
        kept = jnp.argsort(-logits)[:count]
        # Before the loss: one that averages over the fakes would give the others a gradient, too.
        real, fake = jax.tree.map(lambda each: each[kept], (real_logits, fake_logits))
        best = self.loss.generator(real, fake) * (len(logits) / count)
        return jnp.zeros_like(logits).at[kept].set(best)


@dataclasses.dataclass(frozen=True)
class AuxiliaryClassifier:
    """Wraps a loss so that both players also minimise the cross-entropy of the class: AC-GAN.

    Odena, Olah, Shlens (2017), equations 2 and 3: L_S is `loss`, L_C the cross-entropy of the
    class, of real examples and fakes for the discriminator, and of fakes for the generator. The
    discriminator must return a `networks.conditions.AuxiliaryClassifierOutput`.

    Attributes:
        loss: the wrapped loss, of the logits.
        weight: weight of the cross-entropy in the losses of both players, at least 0.
    """

    loss: Any = NonSaturating()
    weight: float = 1.0

    def __post_init__(self) -> None:
        check_types(self)
        right = "NonSaturating()"
        check_object("AuxiliaryClassifier", "loss", self.loss, "discriminator generator", right)
        check_bounds(self, "weight", at_least=0)

    def discriminator(self, real: Any, fake: Any) -> Logits:
        """Returns the loss of the logits plus the weighted cross-entropies of real and fake."""
        label_losses = _label_losses(real) + _label_losses(fake)
        return self.loss.discriminator(real.logits, fake.logits) + self.weight * label_losses

    def generator(self, real: Any, fake: Any) -> Logits:
        """Returns the loss of the logits plus the weighted cross-entropies of the fakes."""
        label_losses = _label_losses(fake)
        return self.loss.generator(real.logits, fake.logits) + self.weight * label_losses


@dataclasses.dataclass(frozen=True)
class SemiSupervised:
    """Classes for the discriminator from few labels, and matched features for the generator.

    Salimans et al. (2016), sections 5 and 3.1. The discriminator is a classifier, which returns a
    `networks.semi_supervised.Output`; the log-sum-exp of its class logits is the logit of being
    real. The data must give labels as targets, as `few_labels` does. As in the authors' code,
    examples with a label teach the classes only: what real examples look like is learnt from those
    without. (For CIFAR-10 their generator matches features by the absolute, not the squared
    difference.)

    Attributes:
        weight: of the cross-entropy of real and fake, beside that of the classes, at least 0.
    """

    weight: float = 1.0

    log_odds = True
    needs_labels = True

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "weight", at_least=0)

    def discriminator(self, real: Any, fake: Any, label: Int32[Array, " batch"]) -> Logits:
        """Returns the cross-entropies of real and fake, and of the class where it is known.

        Each is scaled so that its mean over the batch is that over the examples that it is of. As
        in the authors' code, the weight is halved between real and fake.
        """
        _check_classifier(real)
        with_label, without = _shares(label)
        log_probabilities = jax.nn.log_softmax(real.class_logits)
        chosen = jnp.take_along_axis(log_probabilities, jnp.maximum(label, 0)[:, None], axis=1)
        of_real = without * softplus(-real.logits)
        return 0.5 * self.weight * (of_real + softplus(fake.logits)) - with_label * chosen[:, 0]

    def generator(self, real: Any, fake: Any, label: Int32[Array, " batch"]) -> Logits:
        """Returns the mean squared difference of the mean features, the same for each fake.

        Those of real examples are of the ones without a label.
        """
        _, without = _shares(label)
        of_real = (without[:, None] * real.features).mean(axis=0)
        difference = of_real - fake.features.mean(axis=0)
        return jnp.full(len(fake.features), jnp.square(difference).mean())


def _check_classifier(output: Any) -> None:
    if not hasattr(output, "class_logits"):
        raise RequestError(
            "SemiSupervised needs a discriminator that is a classifier, for example "
            "semi_supervised.Discriminator(classes=10)"
        )


def _shares(label: Int32[Array, " batch"]) -> tuple[Logits, Logits]:
    """Returns weights that turn batch means into means over examples with a label, and without."""
    known = (label >= 0).astype(jnp.float32)
    return tuple(of / jnp.maximum(of.mean(), 1 / len(label)) for of in (known, 1 - known))


def gives_log_odds(loss: Any) -> bool:
    """Whether a loss, or one it wraps, makes sigmoid(logit) the probability of being real."""
    return any(getattr(each, "log_odds", False) for each in nested(loss, "loss"))


def allows_any_offset(loss: Any) -> bool:
    """Whether a loss, or one it wraps, ignores a constant added to all logits.

    The sign of a logit then has no meaning.
    """
    return any(getattr(each, "any_offset", False) for each in nested(loss, "loss"))


def _label_losses(output: Any) -> Logits:
    if not hasattr(output, "label_losses"):
        raise RequestError(
            "AuxiliaryClassifier needs a discriminator that also classifies, for example "
            'resnet.Discriminator(classes=10, condition_by="classifier")'
        )
    return output.label_losses
