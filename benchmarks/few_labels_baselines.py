"""What a classifier learns from the images with labels alone: baselines for few labels.

    python benchmarks/few_labels_baselines.py experiments/mnist_few_labels.py --choices 5

The network is the experiment's discriminator, trained by the cross-entropy of its class logits with
the experiment's Adam, on the images that have a label: as they are, and augmented as the
classifiers of `gan-jax features` are; and on all images with their labels. Of each, one is trained
for each choice of which images have a label. Printed is the fraction of the test images in a wrong
class, with its 95 % interval over the choices, which also are seeds (with all labels, over seeds).
"""

import dataclasses
import functools
import itertools
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from gan_jax.data.few_labels import FewLabels
from gan_jax.data.images import Images
from gan_jax.data.order import batch_indices
from gan_jax.metrics.estimate import of_mean
from gan_jax.optimizers import Schedule
from gan_jax.recognition.classifier_training import augment
from gan_jax.runs.serialisation import load_experiment

BATCH = 100  # images with a label in a step, as many as in a batch of the experiment


def main(file: Path, /, *, choices: int = 5, steps: int = 3000) -> None:
    """Prints a table.

    Args:
        file: the experiment.
        choices: how often images are chosen that have a label, at least 2.
        steps: of training each classifier.
    """
    experiment = load_experiment(file)
    data, network = experiment.data, experiment.discriminator
    if choices < 2:
        sys.exit(f"--choices {choices}: must be at least 2")
    if not isinstance(data, FewLabels) or data.held_out() is None:
        sys.exit(f"{file}: its data must be few_labels(...) of images with a test set")
    whole = Images(data.source, data.size, data.channels, labels=True)
    test = whole.held_out()
    print("| trained on | wrong | 95 % interval |\n|---|---|---|")
    of_few = () if data.per_class is None else (f"{data.per_class} of each class",)
    for name, augmented in itertools.product((*of_few, "all"), (False, True)):
        few = name in of_few
        errors = []
        for choice in range(choices):
            label = (dataclasses.replace(data, choice=choice) if few else whole).load().label
            known = np.flatnonzero(label >= 0)
            variables = train(experiment, network, whole, known, label, choice, steps, augmented)
            errors.append(wrong(network, variables, test))
        found = of_mean(np.array(errors))
        shown = name + ", augmented" * augmented
        print(f"| {shown} | {found.value:.2%} | {found.low:.2%} to {found.high:.2%} |", flush=True)


def train(experiment, network, data, known, label, seed, steps, augmented):
    """Returns the variables of a classifier."""
    schedule = Schedule("linear", steps=steps, hold=steps // 3)
    adam = dataclasses.replace(experiment.discriminator_optimizer, schedule=schedule).build()
    key = jax.random.key(seed)
    variables = network.init(key, jnp.zeros((1, *data.sample_shape)), training=False)

    def mean_loss(params, others, images, label, key):
        output, others = network.apply(
            {"params": params} | others,
            images,
            training=True,
            rngs={"dropout": key},
            mutable=list(others),
        )
        losses = optax.softmax_cross_entropy_with_integer_labels(output.class_logits, label)
        return losses.mean(), others

    @jax.jit
    def update(variables, state, sample, label, step):
        for_noise, for_changes = jax.random.split(jax.random.fold_in(key, step))
        images = data.prepare({"sample": sample, "label": label})["sample"]
        images = augment(images, for_changes) if augmented else images
        others = dict(variables)
        params = others.pop("params")
        gradient, others = jax.grad(mean_loss, has_aux=True)(
            params, others, images, label, for_noise
        )
        change, state = adam.update(gradient, state, params)
        return {"params": optax.apply_updates(params, change)} | others, state

    state, sample = adam.init(variables["params"]), data.load().sample
    for step in range(steps):
        chosen = known[batch_indices(len(known), seed, step, min(BATCH, len(known)))]
        variables, state = update(variables, state, sample[chosen], label[chosen], step)
    return variables


def wrong(network, variables, test: Images) -> float:
    """Returns the fraction of the test images in a wrong class."""
    parts = np.array_split(np.arange(test.count), 20)
    found = [
        classes(network, variables, test.prepare(test.gather(part))["sample"]) for part in parts
    ]
    return float(np.mean(np.concatenate(found) != test.load().label))


@functools.partial(jax.jit, static_argnums=0)
def classes(network, variables, images):
    """Returns the most probable class of each image."""
    return network.apply(variables, images, training=False).class_logits.argmax(axis=-1)


if __name__ == "__main__":
    tyro.cli(main)
