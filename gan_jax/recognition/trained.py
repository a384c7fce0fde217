"""Trained classifiers, which say what the examples that they have seen are worth."""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, PyTree, Shaped

from gan_jax.data.audio import Audio
from gan_jax.data.images import Images
from gan_jax.networks.classifier import Classifier
from gan_jax.recognition import classifier_training
from gan_jax.recognition.classifier_training import Labelled, Recipe

BATCH = 500


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

    def right(self, test: Labelled) -> Bool[np.ndarray, " count"]:
        """Returns whether each example, as stored, is put into its class."""
        return self.classes(test.sample) == test.label

    def classes(self, stored: Shaped[np.ndarray, "count ..."]) -> Shaped[np.ndarray, " count"]:
        """Returns the most probable class of each example."""
        found = []
        for start in range(0, len(stored), BATCH):
            positions = np.minimum(np.arange(start, start + BATCH), len(stored) - 1)
            batch = stored[positions]
            found.append(np.asarray(_classes(self.network, self.data, self.variables, batch)))
        return np.concatenate(found)[: len(stored)]


def fit(data: Images | Audio, training: Labelled, recipe: Recipe, seed: int) -> Trained:
    """Trains a classifier; see `classifier_training.train`."""
    for state, _ in classifier_training.train(data, training, recipe, seed):
        last = state
    variables = {"params": last.params, "batch_stats": last.batch_stats}
    return Trained(recipe.network, data, variables)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _classes(network, data, variables, stored):
    raw = {"sample": stored, "label": jnp.zeros(len(stored), jnp.int32)}
    _, logits = network.apply(variables, data.prepare(raw)["sample"], training=False)
    return logits.argmax(axis=-1)
