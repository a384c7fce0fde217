"""The metrics by name, and which way each of them is better."""

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
