"""How often a classifier is right, which says what the examples that it has seen are worth."""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64, PyTree, Shaped

from gan_jax.data.audio import Audio
from gan_jax.data.images import Images
from gan_jax.networks.classifier import Classifier
from gan_jax.recognition import classifier_training
from gan_jax.recognition.classifier_training import Labelled, Recipe

BATCH = 500


class Accuracy(NamedTuple):
    """Fractions of test examples that a classifier puts into their class, in [0, 1].

    Attributes:
        overall: of all of them.
        of_class: of those of each class; NaN where there are none.
    """

    overall: float
    of_class: Float64[np.ndarray, " classes"]


@dataclass(frozen=True, eq=False)
class Trained:
    """A classifier that has been trained.

    Attributes:
        network: its network.
        data: say how examples are prepared.
        variables: of the network.
    """

    network: Classifier
    data: Images | Audio
    variables: PyTree

    def accuracy(self, test: Labelled) -> Accuracy:
        """Returns how often the classifier is right on examples as stored."""
        right = self.classes(test.sample) == test.label
        counts = np.bincount(test.label, minlength=self.network.classes)
        with np.errstate(invalid="ignore"):  # a class without examples
            of_class = np.bincount(test.label, right, self.network.classes) / counts
        return Accuracy(float(right.mean()), of_class)

    def classes(self, stored: Shaped[np.ndarray, "count ..."]) -> Shaped[np.ndarray, " count"]:
        """Returns the most probable class of each example."""
        found = []
        for start in range(0, len(stored), BATCH):
            positions = np.minimum(np.arange(start, start + BATCH), len(stored) - 1)
            batch = stored[positions]
            found.append(np.asarray(_classes(self.network, self.data, self.variables, batch)))
        return np.concatenate(found)[: len(stored)]


def train(data: Images | Audio, training: Labelled, recipe: Recipe, seed: int) -> Trained:
    """Trains a classifier; see `classifier_training.train`."""
    for state, _ in classifier_training.train(data, training, recipe, seed):
        trained = state
    variables = {"params": trained.params, "batch_stats": trained.batch_stats}
    return Trained(recipe.network, data, variables)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _classes(network, data, variables, stored):
    raw = {"sample": stored, "label": jnp.zeros(len(stored), jnp.int32)}
    _, logits = network.apply(variables, data.prepare(raw)["sample"], training=False)
    return logits.argmax(axis=-1)
