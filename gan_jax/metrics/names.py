"""The table of metrics: which way is better, what is possible, and what each is used for."""

import functools
import math
from dataclasses import dataclass
from typing import Literal

MOST_TOKENS = 6  # of an n-gram


@dataclass(frozen=True)
class Metric:
    """What is known of a metric by its name.

    Attributes:
        better: which values are.
        lowest: possible value, to which intervals are clipped.
        highest: likewise.
        chooses: whether it can select the best checkpoint.
        ordered: whether better values are better everywhere, so that configurations can be put in
            order; what chooses has to be.
        while_training: whether it is measured then, as it takes only a second or two.
        printed: whether it is printed at the end of training.
        of_held_out: whether samples are compared with held-out examples, and not only with those
            trained on.
        general: False if only data of one kind have it, points with known modes or texts, or only
            discriminators that are classifiers, or if `gan-jax recognise` measures it.
    """

    better: Literal["lower", "higher"]
    lowest: float = 0.0
    highest: float = math.inf
    chooses: bool = True
    ordered: bool = True
    while_training: bool = False
    printed: bool = False
    of_held_out: bool = False
    general: bool = True

    @property
    def possible(self) -> tuple[float, float]:
        """The possible range."""
        return (self.lowest, self.highest)


NGRAM_DIVERGENCES = tuple(f"ngram_divergence_{n}" for n in range(1, MOST_TOKENS + 1))
OF_TEXT_HELD_OUT = (*NGRAM_DIVERGENCES, "bleu")  # compare texts with held-out text

_lower, _higher = functools.partial(Metric, "lower"), functools.partial(Metric, "higher")
_of_text = functools.partial(Metric, general=False)
_tendency = functools.partial(Metric, chooses=False, ordered=False)
_divergence = functools.partial(_of_text, "lower", highest=1, of_held_out=True)

METRICS: dict[str, Metric] = {
    "frechet_distance": _lower(while_training=True, printed=True),
    "kernel_distance": _lower(lowest=-math.inf),  # an unbiased estimate, which may fall below 0
    "precision": _higher(highest=1),
    "recall": _higher(highest=1),
    "density": _higher(),
    "coverage": _higher(highest=1),
    "classifier_score": _higher(lowest=1, while_training=True),
    "score_ratio": _higher(of_held_out=True, while_training=True, printed=True),
    "mode_count": _higher(while_training=True, printed=True),
    "good_share": _higher(highest=1, general=False, while_training=True, printed=True),
    "class_divergence": _lower(while_training=True),
    "intended_accuracy": _higher(highest=1),
    # Of the discriminator, where it is a classifier. It cannot choose, or it would see the test.
    "test_error": _lower(
        highest=1,
        of_held_out=True,
        chooses=False,
        general=False,
        while_training=True,
        printed=True,
    ),
    # Memorisation has no order: 0.5 is best, since noise is far from every training example, too.
    "memorisation": _tendency("lower", highest=1, of_held_out=True),
    **dict.fromkeys(NGRAM_DIVERGENCES, _divergence()),
    "ngram_divergence_4": _divergence(while_training=True, printed=True),
    "known_words": _of_text("higher", highest=1, while_training=True, printed=True),
    "bleu": _of_text("higher", highest=1, of_held_out=True),
    # What follows is better near the value of real text than beyond it, so it has no order.
    "self_bleu": _tendency("lower", highest=1, general=False),
    "distinct_ngrams": _tendency("higher", highest=1, general=False),
    "longest_copy": _tendency("lower", general=False),
    "copied_whole": _tendency("lower", highest=1, general=False),
    # Accuracies of classifiers that were trained on samples, and on real examples. The latter has
    # no order, as it is near 1 even where all samples of a class are the same.
    "gan_train": _higher(highest=1, of_held_out=True, chooses=False, general=False),
    "gan_test": _tendency("higher", highest=1, general=False),
    "accuracy": _higher(highest=1, of_held_out=True, chooses=False, general=False),
    "accuracy_gain": _higher(lowest=-1, highest=1, of_held_out=True, chooses=False, general=False),
}

CHOOSING = tuple(name for name, metric in METRICS.items() if metric.chooses)
OF_ONE_KIND = tuple(name for name, metric in METRICS.items() if not metric.general)
