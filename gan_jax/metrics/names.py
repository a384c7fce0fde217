"""The metrics by name: which way is better, what is possible, and what can select checkpoints."""

import math
from typing import Literal

MOST_TOKENS = 6  # of an n-gram
NGRAM_DIVERGENCES = tuple(f"ngram_divergence_{n}" for n in range(1, MOST_TOKENS + 1))

BETTER: dict[str, Literal["lower", "higher"]] = {
    "frechet_distance": "lower",
    "kernel_distance": "lower",
    "precision": "higher",
    "recall": "higher",
    "density": "higher",
    "coverage": "higher",
    "classifier_score": "higher",
    "score_ratio": "higher",
    "mode_count": "higher",
    "good_share": "higher",
    "class_divergence": "lower",
    "intended_accuracy": "higher",
    "memorisation": "lower",
    **dict.fromkeys(NGRAM_DIVERGENCES, "lower"),
    "known_words": "higher",
}

# The possible range (lowest, highest) of each metric, to which its intervals are clipped.
POSSIBLE: dict[str, tuple[float, float]] = {
    "frechet_distance": (0, math.inf),
    "kernel_distance": (-math.inf, math.inf),  # an unbiased estimate, which may fall below 0
    "precision": (0, 1),
    "recall": (0, 1),
    "density": (0, math.inf),
    "coverage": (0, 1),
    "classifier_score": (1, math.inf),
    "score_ratio": (0, math.inf),
    "mode_count": (0, math.inf),
    "good_share": (0, 1),
    "class_divergence": (0, math.inf),
    "intended_accuracy": (0, 1),
    "memorisation": (0, 1),
    **dict.fromkeys(NGRAM_DIVERGENCES, (0, 1)),
    "known_words": (0, 1),
}

# Metrics that only data of one kind have, as only they have modes that are known, or tokens.
OF_ONE_KIND = ("good_share", *NGRAM_DIVERGENCES, "known_words")

# The metrics that can select the best checkpoint. Memorisation cannot: 0.5 is best, since noise is
# far from every training example, too.
CHOOSING = tuple(name for name in BETTER if name != "memorisation")
