"""How often a discriminator that is a classifier is wrong."""

import functools

import jax
import numpy as np
from jaxtyping import Int32

from gan_jax import gan
from gan_jax.common.errors import RequestError
from gan_jax.data.dataset import in_short
from gan_jax.evaluation.measure import Measured
from gan_jax.experiment import Experiment
from gan_jax.metrics.estimate import of_proportion

BATCH = 500


def test_error(experiment: Experiment, state: gan.GANState) -> dict[str, Measured]:
    """Returns the fraction of all held-out examples that the discriminator puts into a wrong class.

    In inference mode. Empty where `held_out_labels` returns None.

    Raises:
        RequestError: as `held_out_labels`.
    """
    label = held_out_labels(experiment)
    if label is None:
        return {}
    apart = experiment.data.held_out()
    found = []
    for start in range(0, len(label), BATCH):
        positions = np.minimum(np.arange(start, start + BATCH), len(label) - 1)
        sample = apart.prepare(apart.gather(positions))["sample"]
        found.append(np.asarray(_classes(experiment.static, state, sample)))
    wrong = np.concatenate(found)[: len(label)] != label
    estimate = of_proportion(int(np.count_nonzero(wrong)), len(label))
    return {"test_error": Measured(estimate, len(label), 0)}


def held_out_labels(experiment: Experiment) -> Int32[np.ndarray, " count"] | None:
    """Returns the class of each held-out example, as a position in `data.class_names`.

    Classes are the same by name. None where the discriminator's output has no `class_logits`, or no
    labelled examples are held out.

    Raises:
        RequestError: held-out examples have a class that those trained on have not.
    """
    data, apart = experiment.data, experiment.data.held_out()
    if apart is None or not _is_classifier(experiment.static):
        return None
    found = apart.load()
    if found.label is None:
        return None
    if unknown := sorted(set(apart.class_names) - set(data.class_names)):
        raise RequestError(
            f"held-out examples have classes that are not trained on: {in_short(unknown)}"
        )
    names = list(data.class_names)
    return np.array([names.index(name) for name in apart.class_names], np.int32)[found.label]


@functools.cache
def _is_classifier(experiment: Experiment) -> bool:
    def output(key):
        _, sample, condition = gan.blank_inputs(experiment, 1)
        output, _ = experiment.discriminator.init_with_output(
            key, sample, condition, training=False
        )
        return output

    return hasattr(jax.eval_shape(output, jax.random.key(0)), "class_logits")


@functools.partial(jax.jit, static_argnames="experiment")
def _classes(experiment, state, sample):
    return gan.discriminator_output(experiment, state, sample, None).class_logits.argmax(axis=-1)
