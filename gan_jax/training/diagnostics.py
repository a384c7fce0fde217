"""How training goes, from a few fixed examples: cheap enough to be computed always."""

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
from gan_jax.evaluation.evaluator import held_out_data
from gan_jax.experiment import Experiment
from gan_jax.metrics import classes
from gan_jax.sampling import samples
from gan_jax.sampling.sheets import to_pixels

COUNT = samples.BATCH  # examples of each kind at most; as many as one call generates anyway
MOST_CLASSES = 100  # whose shares so few samples tell, and a line of metrics can hold
SEED = 0  # of the choice of real examples: the same in every run, so that runs compare

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False)
class Diagnostics:
    """Computes named figures of a state, with both networks in inference mode.

    Attributes:
        experiment: what the run is.
        training: prepared examples that the discriminator learns from.
        held_out: prepared real examples that it does not, if there are any.
    """

    experiment: Experiment
    training: dict[str, Any]
    held_out: dict[str, Any] | None

    @classmethod
    def of(cls, experiment: Experiment) -> Self:
        """Chooses the examples."""
        try:
            apart = held_out_data(experiment.data)
            held_out = None if apart is None else _chosen(apart)
        except RequestError as error:
            _logger.warning("no diagnostics on held-out examples: %s", error)
            held_out = None
        return cls(experiment, _chosen(experiment.data), held_out)

    def __call__(self, state: gan.GANState) -> dict[str, float]:
        """Returns the figures of one state.

        Returns:
            logit_X and accuracy_X, mean logit and share of right judgements of the discriminator,
            for X = training, held_out (where there is such data) and samples (of the averaged
            generator, where there is one, from fixed latents); distance_ratio, mean distance
            between two samples over that between two training examples; class_share_0 and so on
            where the experiment's feature network classifies. Without those that are not finite.
        """
        experiment = self.experiment
        drawn = samples.draw(experiment, state, COUNT, key=experiment.seed)
        count = len(self.training["sample"])
        drawn = drawn[:count]
        condition = samples.take_turns(experiment, count)
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
        # A data set of equal images has no distances to compare with.
        finite = {name: value for name, value in figures.items() if math.isfinite(value)}
        return finite | self._class_shares(drawn)

    def _class_shares(self, drawn: Float[np.ndarray, "count ..."]) -> dict[str, float]:
        if self.experiment.features is None or not np.isfinite(drawn).all():
            return {}
        probabilities = self.experiment.features.extract(to_pixels(drawn)).probabilities
        if probabilities is None or probabilities.shape[1] > MOST_CLASSES:
            return {}
        shares = classes.class_shares(probabilities.argmax(1), probabilities.shape[1])
        return {f"class_share_{number}": float(share) for number, share in enumerate(shares)}


def _chosen(data: Any) -> dict[str, Any]:
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
    flat -= flat.mean(0)  # distances stay, and squares lose fewer digits
    squares = jnp.square(flat).sum(1)
    products = jnp.matmul(flat, flat.T, precision="highest")
    squared = jnp.maximum(squares[:, None] + squares - 2 * products, 0)
    apart = 1 - jnp.eye(len(flat))
    return (jnp.sqrt(squared) * apart).sum() / apart.sum()
