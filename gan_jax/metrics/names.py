"""The metrics by name, which way each is better, and which of them can choose a checkpoint."""

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
    "class_divergence": "lower",
    "intended_accuracy": "higher",
    "memorisation": "lower",
}

# Memorisation is best at 0.5: noise, too, is far from every training example.
CHOOSING = tuple(name for name in BETTER if name != "memorisation")
