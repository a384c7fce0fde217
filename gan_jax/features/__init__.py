"""Feature networks, which turn samples into the numbers that metrics compare."""

from gan_jax.features.classifiers import Classifier, classifier, mnist, spoken_digits
from gan_jax.features.functions import Function, function
from gan_jax.features.inception_v3 import Inception, inception
from gan_jax.features.nearest_mode import NearestMode
from gan_jax.features.network import Extracted, FeatureNetwork
from gan_jax.features.token_counts import TokenCounts

__all__ = [
    "Classifier",
    "Extracted",
    "FeatureNetwork",
    "Function",
    "Inception",
    "NearestMode",
    "TokenCounts",
    "classifier",
    "function",
    "inception",
    "mnist",
    "spoken_digits",
]
