"""How training goes, judged from a few fixed examples: cheap enough to be computed always."""

import dataclasses
import functools
import logging
import math
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gan_jax import gan
from gan_jax.common.errors import RequestError
from gan_jax.data.dataset import Dataset
from gan_jax.experiment import Experiment
from gan_jax.metrics import classes
from gan_jax.sampling import samples

COUNT = samples.BATCH  # examples of each kind at most; as many as one call generates anyway
MOST_CLASSES = 100  # for whose fractions so few samples, and a line of metrics, are enough
SEED = 0  # of the choice of real examples, the same in every run, so that runs can be compared

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False)
class Diagnostics:
    """Computes named figures of a state, with both networks in inference mode.

    Attributes:
        experiment: the configuration.
        training: prepared examples that the discriminator learns from.
        held_out: prepared real examples that it does not learn from, if there are any.
    """

    experiment: Experiment
    training: dict[str, Any]
    held_out: dict[str, Any] | None

    @classmethod
    def of(cls, experiment: Experiment) -> Self:
        """Chooses the examples."""
        try:
            apart = experiment.data.held_out()
            held_out = None if apart is None else _chosen(apart)
        except RequestError as error:
            _logger.warning("no diagnostics on held-out examples: %s", error)
            held_out = None
        return cls(experiment, _chosen(experiment.data), held_out)

    def __call__(self, state: gan.GANState) -> dict[str, float]:
        """Returns the figures of one state.

        Returns:
            logit_X and accuracy_X, the discriminator's mean logit and accuracy, for X = training,
            held_out (where there are such data) and samples (of the averaged generator, where there
            is one, from fixed latents); distance_ratio, the mean distance between two samples over
            that between two training examples; class_share_N, the fraction of samples in class N,
            where the experiment's feature network classifies. Without those that are not finite.
        """
        experiment = self.experiment
        labels = samples.draw_labels(experiment, experiment.seed, COUNT)
        drawn = samples.draw(experiment, state, COUNT, key=experiment.seed, labels=labels)
        count = len(self.training["sample"])
        drawn = drawn[:count]
        condition = None if labels is None else labels[:count]
        judged = {
            "training": (self.training["sample"], self.training["condition"], 1),
            "samples": (drawn, condition, -1),
        }
        if self.held_out:
            judged["held_out"] = (self.held_out["sample"], self.held_out["condition"], 1)
        figures = {}
        for name, (sample, condition, sign) in judged.items():
            logit, accuracy = _judge(experiment.static, state, sample, condition, sign)
            figures |= {f"logit_{name}": logit, f"accuracy_{name}": accuracy}
        if np.isfinite(drawn).all():
            real_distance = _mean_distance(self.training["sample"])
            figures["distance_ratio"] = _mean_distance(drawn) / real_distance
        figures = {name: float(value) for name, value in figures.items()}
        # In a data set of equal examples there is no distance to compare with.
        finite = {name: value for name, value in figures.items() if math.isfinite(value)}
        return finite | self._class_fractions(drawn)

    def _class_fractions(self, drawn: Float[np.ndarray, "count ..."]) -> dict[str, float]:
        if self.experiment.features is None or not np.isfinite(drawn).all():
            return {}
        stored = self.experiment.data.to_stored(drawn)
        probabilities = self.experiment.features.extract(stored).probabilities
        if probabilities is None or probabilities.shape[1] > MOST_CLASSES:
            return {}
        fractions = classes.class_fractions(probabilities.argmax(1), probabilities.shape[1])
        return {f"class_share_{number}": float(of) for number, of in enumerate(fractions)}


def _chosen(data: Dataset) -> dict[str, Any]:
    order = np.random.default_rng(SEED).permutation(data.count)
    return jax.tree.map(jnp.asarray, data.prepare(data.gather(np.sort(order[:COUNT]))))


@functools.partial(jax.jit, static_argnames="experiment")
def _judge(experiment, state, sample, condition, sign):
    logits = gan.discriminate(experiment, state, sample, condition)
    return logits.mean(), jnp.mean(sign * logits > 0, dtype=jnp.float32)


@jax.jit
def _mean_distance(sample: Float[Array, "count ..."]) -> Float[Array, ""]:
    """Mean Euclidean distance between two different samples."""
    flat = sample.reshape(len(sample), -1)
    flat -= flat.mean(0)  # keeps distances, and the squares lose fewer digits
    squares = jnp.square(flat).sum(1)
    products = jnp.matmul(flat, flat.T, precision="highest")
    squared = jnp.maximum(squares[:, None] + squares - 2 * products, 0)
    apart = 1 - jnp.eye(len(flat))
    return (jnp.sqrt(squared) * apart).sum() / apart.sum()
