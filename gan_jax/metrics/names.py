"""The metrics by name, which way each is better, and which of them can choose a checkpoint."""

import math
from typing import Literal

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
}

# What is possible, (lowest, highest): no interval reaches farther.
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
}

# Memorisation is best at 0.5: noise, too, is far from every training example.
CHOOSING = tuple(name for name in BETTER if name != "memorisation")
