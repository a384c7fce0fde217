"""How often a discriminator that is a classifier is wrong."""

import functools

import jax
import numpy as np

from gan_jax import gan
from gan_jax.common.errors import RequestError
from gan_jax.data.dataset import in_short
from gan_jax.evaluation.measure import Measured
from gan_jax.experiment import Experiment
from gan_jax.metrics.estimate import of_proportion

BATCH = 500


def test_error(experiment: Experiment, state: gan.GANState) -> dict[str, Measured]:
    """Returns the fraction of all held-out examples that the discriminator puts into a wrong class.

    In inference mode. Classes are the same by name. Empty where `has_test_error` is false, or the
    held-out examples turn out to have no labels.

    Raises:
        RequestError: held-out examples have a class that those trained on have not.
    """
    data = experiment.data
    if not has_test_error(experiment):
        return {}
    apart = data.held_out()
    label = apart.load().label
    if label is None:
        return {}
    if unknown := sorted(set(apart.class_names) - set(data.class_names)):
        raise RequestError(
            f"held-out examples have classes that are not trained on: {in_short(unknown)}"
        )
    names = list(data.class_names)
    label = np.array([names.index(name) for name in apart.class_names])[label]
    found = []
    for start in range(0, len(label), BATCH):
        positions = np.minimum(np.arange(start, start + BATCH), len(label) - 1)
        sample = apart.prepare(apart.gather(positions))["sample"]
        found.append(np.asarray(_classes(experiment.static, state, sample)))
    wrong = np.concatenate(found)[: len(label)] != label
    estimate = of_proportion(int(np.count_nonzero(wrong)), len(label))
    return {"test_error": Measured(estimate, len(label), 0)}


def has_test_error(experiment: Experiment) -> bool:
    """Whether the discriminator's output has `class_logits`, and examples are held out."""

    def output():
        _, sample, condition = gan.blank_inputs(experiment, 1)
        return gan.discriminator_output(experiment, gan.init(experiment, 0), sample, condition)

    held_out = experiment.data.held_out() is not None
    return held_out and hasattr(jax.eval_shape(output), "class_logits")


@functools.partial(jax.jit, static_argnames="experiment")
def _classes(experiment, state, sample):
    return gan.discriminator_output(experiment, state, sample, None).class_logits.argmax(axis=-1)
