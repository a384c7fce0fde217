"""Named metrics of features: which sets each of them compares, and how many examples it takes."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from gan_jax.evaluation.feature_sets import FeatureSet
from gan_jax.features.network import Extracted
from gan_jax.metrics import bleu, classes, copying, frechet, kernel, neighbours, ngrams
from gan_jax.metrics.estimate import Estimate, of_proportion
from gan_jax.metrics.names import MOST_TOKENS, NGRAM_DIVERGENCES, OF_TEXT_HELD_OUT

# The fewest samples, and real examples, that a metric can be measured on; two for all others.
FEWEST = {
    "kernel_distance": kernel.FEWEST,
    **dict.fromkeys(("precision", "recall"), neighbours.fewest(neighbours.PRECISION_K)),
    **dict.fromkeys(("density", "coverage"), neighbours.fewest(neighbours.DENSITY_K)),
    **dict.fromkeys(("bleu", "self_bleu"), 4),  # as they take half of the samples
}

# What metrics lack that nobody expects of data of another kind.
MODES, TEXTS, WORDS = "data whose modes are known", "texts", "texts of characters"
NO_TEXTS = "data other than text (for text, see longest_copy and copied_whole)"
CLASSIFIER = "a discriminator that is a classifier, and held-out examples with labels"

MOST_REFERENCES = 5000  # of BLEU, whose time grows with the square of their number
REAL_TEXTS = 10_000  # held-out windows whose n-grams those of samples are compared with


class Measured(NamedTuple):
    """A metric's value, and how many examples it was measured on.

    Attributes:
        estimate: value with its 95 % interval over draws of the samples.
        samples: how many samples were measured.
        real: how many real examples they were compared with; 0 if none.
    """

    estimate: Estimate
    samples: int
    real: int


@dataclass(frozen=True, eq=False)
class Sides:
    """The samples to measure, and the examples to compare them with.

    Attributes:
        generated: the samples.
        training: the real examples that the generator learns from.
        held_out: other real examples of the same kind, if there are any.
        intended: the class that each sample in `generated.kept` was conditioned on, if any.
    """

    generated: FeatureSet
    training: FeatureSet
    held_out: FeatureSet | None = None
    intended: Int[np.ndarray, " count"] | None = None

    def equal(self, other: FeatureSet) -> tuple[Extracted, Extracted]:
        """Returns generated and real examples, equally many of both."""
        count = min(len(self.generated.kept.features), len(other.kept.features))
        return self.generated.first(count), other.first(count)


def measure(sides: Sides, names: Collection[str] | None = None) -> dict[str, Measured]:
    """Returns the named metrics, or all of them, except those that lack what they need.

    Metrics of single real examples, which are all but the Frechet distance, memorisation and the
    divergences of n-grams, take equally many samples and real examples, as their values depend on
    these numbers.

    Raises:
        RequestError: fewer than two examples, or features that are not finite.
    """
    missing = unavailable(sides)
    found: dict[str, Measured] = {}
    for group, function in _METRICS.items():
        wanted = [name for name in group if names is None or name in names]
        if wanted and group[0] not in missing:
            values = dict(zip(group, function(sides), strict=True))
            found |= {name: values[name] for name in wanted}
    return found


def unavailable(sides: Sides) -> dict[str, str]:
    """Returns the metrics that cannot be measured by `measure`, with what they lack."""
    probabilities = sides.generated.kept.probabilities
    count = min(len(sides.generated.kept.features), len(sides.training.kept.features))
    lacking = {
        name: f"at least {fewest} samples and {fewest} real examples"
        for name, fewest in FEWEST.items()
        if count < fewest
    }
    if sides.held_out is None:
        lacking |= dict.fromkeys(("score_ratio", "memorisation"), "held-out real examples")
    elif len(sides.training.kept.features) < sides.training.count:
        # A copy is close to one training example only, which may not be among those kept.
        lacking["memorisation"] = "features of all training examples, which are too many to keep"
    if sides.intended is None:
        lacking["intended_accuracy"] = "labels, and features whose classes have the same names"
    if probabilities is None:
        classifying = ("classifier_score", "score_ratio", "mode_count", "class_divergence")
        lacking |= dict.fromkeys((*classifying, "intended_accuracy"), "features that classify")
    lacking["test_error"] = CLASSIFIER
    if sides.generated.kept.good is None:
        lacking["good_share"] = MODES
    lacking |= _lacking_of_text(sides)
    if sides.generated.kept.known_words is None:
        lacking["known_words"] = WORDS
    return lacking


def _lacking_of_text(sides: Sides) -> dict[str, str]:
    tokens, copies = sides.generated.kept.tokens, sides.generated.kept.longest_copies
    of_ngrams = (*OF_TEXT_HELD_OUT, "self_bleu", "distinct_ngrams")
    of_copies = ("longest_copy", "copied_whole")
    if tokens is None:
        return dict.fromkeys((*of_ngrams, *of_copies), TEXTS)
    lacking = {"memorisation": NO_TEXTS}
    if copies is None:
        much = "memory for all windows of the training text at once"
        lacking |= dict.fromkeys(of_copies, much)
    if tokens.shape[1] < MOST_TOKENS:
        return lacking | dict.fromkeys(of_ngrams, f"texts of at least {MOST_TOKENS} tokens")
    if not bleu.installed():
        need = "sacrebleu: pip install 'gan_jax[text]'"
        lacking |= dict.fromkeys(("bleu", "self_bleu"), need)
    if sides.held_out is None:
        lacking |= dict.fromkeys(OF_TEXT_HELD_OUT, "held-out real examples")
    return lacking


def _frechet(sides: Sides) -> tuple[Measured, ...]:
    real = sides.training.moments
    generated = sides.generated
    estimate = frechet.estimate(generated.kept.features, real, generated.moments)
    return (Measured(estimate, generated.count, real.count),)


def _kernel(sides: Sides) -> tuple[Measured, ...]:
    generated, real = _equal_features(sides)
    return _same_size(len(real), kernel.kernel_distance(generated, real))


def _precision_recall(sides: Sides) -> tuple[Measured, ...]:
    generated, real = _equal_features(sides)
    return _same_size(len(real), *neighbours.precision_recall(generated, real))


def _density_coverage(sides: Sides) -> tuple[Measured, ...]:
    generated, real = _equal_features(sides)
    return _same_size(len(real), *neighbours.density_coverage(generated, real))


def _memorisation(sides: Sides) -> tuple[Measured, ...]:
    generated, training = sides.generated.kept.features, sides.training.kept.features
    held_out = sides.held_out.first(len(generated)).features
    estimate = neighbours.memorisation(generated, training, held_out)
    return (Measured(estimate, len(generated), len(training) + len(held_out)),)


def _classifier_score(sides: Sides) -> tuple[Measured, ...]:
    probabilities = sides.generated.kept.probabilities
    return (Measured(classes.classifier_score(probabilities), len(probabilities), 0),)


def _score_ratio(sides: Sides) -> tuple[Measured, ...]:
    generated, real = sides.equal(sides.held_out)
    estimate = classes.score_ratio(generated.probabilities, real.probabilities)
    return _same_size(len(real.features), estimate)


def _mode_count(sides: Sides) -> tuple[Measured, ...]:
    kept = sides.generated.kept
    labels = _labels(kept)
    found = labels if kept.good is None else labels[kept.good]
    count = kept.probabilities.shape[1]
    # Without a single good sample nothing is known of the modes.
    estimate = classes.mode_count(found, count) if len(found) else Estimate(0.0, 0.0, float(count))
    return (Measured(estimate, len(labels), 0),)


def _good_share(sides: Sides) -> tuple[Measured, ...]:
    good = sides.generated.kept.good
    return (Measured(of_proportion(np.count_nonzero(good), len(good)), len(good), 0),)


def _class_divergence(sides: Sides) -> tuple[Measured, ...]:
    labels, real = _labels(sides.generated.kept), _labels(sides.training.kept)
    count = sides.generated.kept.probabilities.shape[1]
    return (Measured(classes.class_divergence(labels, real, count), len(labels), len(real)),)


def _intended_accuracy(sides: Sides) -> tuple[Measured, ...]:
    labels = _labels(sides.generated.kept)
    return (Measured(classes.intended_accuracy(labels, sides.intended), len(labels), 0),)


def _ngram_divergences(sides: Sides) -> tuple[Measured, ...]:
    tokens = sides.generated.kept.tokens
    real = sides.held_out.first(REAL_TEXTS).tokens
    estimates = ngrams.divergences(tokens, real)
    return tuple(Measured(estimate, len(tokens), len(real)) for estimate in estimates)


def _known_words(sides: Sides) -> tuple[Measured, ...]:
    counts = sides.generated.kept.known_words
    return (Measured(ngrams.known_words(counts), len(counts), 0),)


def _bleu(sides: Sides) -> tuple[Measured, ...]:
    generated, real = sides.generated.kept.tokens, sides.held_out.kept.tokens
    count = min(len(generated) // 2, len(real), MOST_REFERENCES)
    return _same_size(count, bleu.mean_bleu(generated[:count], real[:count]))


def _self_bleu(sides: Sides) -> tuple[Measured, ...]:
    tokens = sides.generated.kept.tokens
    half = min(len(tokens) // 2, MOST_REFERENCES)
    return (Measured(bleu.mean_bleu(tokens[:half], tokens[half : 2 * half]), 2 * half, 0),)


def _distinct(sides: Sides) -> tuple[Measured, ...]:
    tokens = sides.generated.kept.tokens
    return (Measured(ngrams.distinct(tokens), len(tokens), 0),)


def _copies(sides: Sides) -> tuple[Measured, ...]:
    kept = sides.generated.kept
    estimates = copying.longest_and_whole(kept.longest_copies, kept.tokens.shape[1])
    return tuple(Measured(estimate, len(kept.tokens), 0) for estimate in estimates)


# Metrics by the function that computes them; some are computed together, to share work.
_METRICS: dict[tuple[str, ...], Callable[[Sides], tuple[Measured, ...]]] = {
    ("frechet_distance",): _frechet,
    ("kernel_distance",): _kernel,
    ("precision", "recall"): _precision_recall,
    ("density", "coverage"): _density_coverage,
    ("classifier_score",): _classifier_score,
    ("score_ratio",): _score_ratio,
    ("mode_count",): _mode_count,
    ("good_share",): _good_share,
    ("class_divergence",): _class_divergence,
    ("intended_accuracy",): _intended_accuracy,
    ("memorisation",): _memorisation,
    NGRAM_DIVERGENCES: _ngram_divergences,
    ("known_words",): _known_words,
    ("bleu",): _bleu,
    ("self_bleu",): _self_bleu,
    ("distinct_ngrams",): _distinct,
    ("longest_copy", "copied_whole"): _copies,
}


def _equal_features(sides: Sides) -> tuple[np.ndarray, np.ndarray]:
    generated, real = sides.equal(sides.training)
    return generated.features, real.features


def _same_size(count: int, *estimates: Estimate) -> tuple[Measured, ...]:
    return tuple(Measured(estimate, count, count) for estimate in estimates)


def _labels(extracted: Extracted) -> Int[np.ndarray, " count"]:
    return np.argmax(extracted.probabilities, axis=1)
