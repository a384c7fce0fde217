"""Training of a classifier whose activations serve as features: one recipe for all images.

AdamW (Loshchilov and Hutter, 2019) minimises the cross-entropy, with a linear warm-up and a cosine
decay of the learning rate (Loshchilov and Hutter, 2017), on images that are rotated, scaled and
shifted a little at random.
"""

import contextlib
import dataclasses
import enum
import functools
import importlib.metadata
import math
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Int32, Integer, PRNGKeyArray, PyTree, Shaped
from rich.console import Console

from gan_jax.common.errors import RequestError
from gan_jax.common.files import write_atomically
from gan_jax.common.progress import SECONDS_BETWEEN_LINES, make_bar
from gan_jax.common.provenance import git_commit
from gan_jax.data.audio import Audio
from gan_jax.data.images import Images
from gan_jax.data.order import batch_indices
from gan_jax.features import classifier_file
from gan_jax.features.classifier_file import Description, SoundInput
from gan_jax.features.classifiers import classify
from gan_jax.networks.classifier import Classifier

BATCH = 128
TURN = 5.0  # degrees
SCALE = 0.05  # fraction of the size
SHIFT = 1 / 28  # fraction of the size
HELD_OUT_EVERY = 10  # one image in so many is held out, if the data have no test images
STEPS_TOGETHER = 20  # in one compiled call: on CPU each call allocates its memory anew


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All that training depends on besides the images.

    Attributes:
        network: what is trained.
        steps: how many, of BATCH images each.
        learning_rate: the largest.
        weight_decay: of AdamW.
        augmented: whether images are rotated, scaled and shifted a little at random.
        class_weights: by which the loss of an example of each class is multiplied; None: by 1.
    """

    network: Classifier
    steps: int
    learning_rate: float = 1e-2
    weight_decay: float = 3e-2
    augmented: bool = True
    # Not in the repr, by which recipes of measurements without weights are identified.
    class_weights: tuple[float, ...] | None = dataclasses.field(default=None, repr=False)

    def optimizer(self) -> optax.GradientTransformation:
        """Returns the optax transformation."""
        rise = self.steps // 5
        schedule = optax.warmup_cosine_decay_schedule(0.0, self.learning_rate, rise, self.steps)
        return optax.adamw(schedule, weight_decay=self.weight_decay)


class State(NamedTuple):
    """The train state."""

    step: Int[Array, ""]
    params: PyTree
    batch_stats: PyTree
    opt_state: PyTree


class Stream(enum.IntEnum):
    """The use of a random key; every key is fold_in(fold_in(key(seed), step), stream)."""

    INIT = 0
    AUGMENT = 1
    DROPOUT = 2


class Labelled(NamedTuple):
    """Examples as stored, and the class of each."""

    sample: Shaped[np.ndarray, "count ..."]
    label: Int32[np.ndarray, " count"]

    def at(self, positions: Integer[np.ndarray, "*shape"]) -> "Labelled":
        """Returns the examples at these positions."""
        return Labelled(self.sample[positions], self.label[positions])


class Parts(NamedTuple):
    """What a classifier is trained on, and what it is tested on."""

    training: Labelled
    test: Labelled
    tested_on: str


def init(recipe: Recipe, image_shape: tuple[int, int, int], key: PRNGKeyArray) -> State:
    """Returns the state at step 0."""
    image = jnp.zeros((1, *image_shape))
    variables = recipe.network.init(_key(key, 0, Stream.INIT), image, training=False)
    params, batch_stats = variables["params"], variables["batch_stats"]
    return State(jnp.int32(0), params, batch_stats, recipe.optimizer().init(params))


def update(
    recipe: Recipe,
    key: PRNGKeyArray,
    state: State,
    images: Float[Array, "batch height width channels"],
    labels: Int[Array, " batch"],
) -> tuple[State, dict[str, Float[Array, ""]]]:
    """Takes one step of training.

    Returns:
        The state at the next step, and this batch's mean 'loss' and 'accuracy', in [0, 1].
    """
    if recipe.augmented:
        images = augment(images, _key(key, state.step, Stream.AUGMENT))

    def mean_loss(params):
        (_, logits), variables = recipe.network.apply(
            {"params": params, "batch_stats": state.batch_stats},
            images,
            training=True,
            rngs={"dropout": _key(key, state.step, Stream.DROPOUT)},
            mutable=["batch_stats"],
        )
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        if recipe.class_weights:
            losses *= jnp.array(recipe.class_weights)[labels]
        return losses.mean(), (logits, variables["batch_stats"])

    gradient_of = jax.value_and_grad(mean_loss, has_aux=True)
    (loss, (logits, batch_stats)), gradient = gradient_of(state.params)
    updates, opt_state = recipe.optimizer().update(gradient, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    metrics = {"loss": loss, "accuracy": jnp.mean(logits.argmax(-1) == labels)}
    return State(state.step + 1, params, batch_stats, opt_state), metrics


def augment(
    images: Float[Array, "batch height width channels"], key: PRNGKeyArray
) -> Float[Array, "batch height width channels"]:
    """Rotates, scales and shifts each image at random; its border is repeated outwards."""
    count, height, width, _ = images.shape
    draws = jax.random.uniform(key, (4, count), jnp.float32, minval=-1.0)
    angle, scale = jnp.deg2rad(TURN) * draws[0], 1 + SCALE * draws[1]
    down, right = SHIFT * height * draws[2], SHIFT * width * draws[3]
    return jax.vmap(transform)(images, angle, scale, down, right)


def transform(
    image: Float[Array, "height width channels"],
    angle: Float[Array, ""] | float,
    scale: Float[Array, ""] | float,
    down: Float[Array, ""] | float,
    right: Float[Array, ""] | float,
) -> Float[Array, "height width channels"]:
    """Rotates (radians, clockwise), enlarges and shifts (pixels) an image about its centre.

    Values between pixels are interpolated linearly; outside, the nearest pixel of the border
    counts.
    """
    height, width, _ = image.shape
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    rows = (jnp.arange(height) - middle_row - down)[:, None] / scale
    columns = (jnp.arange(width) - middle_column - right)[None, :] / scale
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    from_rows = cosine * rows - sine * columns + middle_row
    from_columns = sine * rows + cosine * columns + middle_column

    def sampled(channel):
        coordinates = [from_rows, from_columns]
        return jax.scipy.ndimage.map_coordinates(channel, coordinates, order=1, mode="nearest")

    return jax.vmap(sampled, in_axes=-1, out_axes=-1)(image)


def split(data: Images | Audio) -> Parts:
    """Chooses the images to train on, and those on which the accuracy is measured.

    The latter are the data set's own held-out images. If there are none with labels, they are a
    tenth of the images in a fixed random order, whatever the seed of the training.

    Raises:
        RequestError: the data have no labels or only one class, or their held-out images have other
            classes.
    """
    named = f"a classifier needs two classes or more; {data.source}"
    if data.classes < 2:
        found = "only one" if data.classes else f"no labels ({data.load().unlabelled})"
        raise RequestError(
            f"{named} has {found}: in a folder, each class is a sub-folder; in an .npz of images, "
            "'labels' gives the class of each"
        )
    examples = labelled(data)
    held_out = data.held_out()
    if held_out is not None and held_out.load().label is not None:
        names, other_names = data.class_names, held_out.class_names
        if names != other_names:
            raise RequestError(
                f"{held_out.source} has the classes {', '.join(other_names)}; those to train "
                f"on have {', '.join(names)}"
            )
        return Parts(examples, labelled(held_out), "all held-out examples")
    if data.count < 2 * HELD_OUT_EVERY:
        raise RequestError(f"{named} has {data.count} examples: too few to hold some out as a test")
    order = batch_indices(data.count, seed=0, step=0, batch_size=data.count)
    first = math.ceil(data.count / HELD_OUT_EVERY)
    tested_on = "a tenth of the examples, not trained on"
    return Parts(examples.at(order[first:]), examples.at(order[:first]), tested_on)


def train(
    data: Images | Audio, training: Labelled, recipe: Recipe, seed: int
) -> Iterator[tuple[State, dict[str, Any]]]:
    """Yields the state after every few steps, and the metrics of the last of these steps.

    Args:
        data: say how examples are prepared.
        training: what to train on.
        recipe: the recipe.
        seed: of the weights, of the order of the examples, and of all random draws.
    """
    key = jax.random.key(seed)
    state, count = init(recipe, data.sample_shape, key), len(training.label)
    for first in range(0, recipe.steps, STEPS_TOGETHER):
        steps = range(first, min(first + STEPS_TOGETHER, recipe.steps))
        indices = [batch_indices(count, seed, step, batch_size(count)) for step in steps]
        batches = training.at(np.stack(indices))._asdict()
        state, metrics = _updates(recipe, data, key, state, batches)
        yield state, jax.tree.map(lambda values: values[-1], metrics)


def make(data: Images | Audio, name: str, out: Path, epochs: int, seed: int) -> Description:
    """Trains a classifier, measures its accuracy with the weights as stored, and saves it.

    Progress goes to stderr. The file is written at the end, whole or not at all.

    Args:
        data: images, or spectrograms of normalised recordings, with labels.
        name: what the data are called in the file.
        out: the file, .npz.
        epochs: passes over the training images.
        seed: seed of the weights, of the order of the images, and of all random draws.

    Returns:
        The description of the classifier in the file.

    Raises:
        RequestError: the data are missing, have no labels or one class only, or are too small.
    """
    parts = split(data)
    class_names = data.class_names
    steps_of_epoch = len(parts.training.label) / batch_size(len(parts.training.label))
    steps = math.ceil(epochs * steps_of_epoch)
    recipe = Recipe(Classifier(classes=len(class_names)), steps)
    with progress(steps, steps_of_epoch) as show:
        for state, metrics in train(data, parts.training, recipe, seed):
            show(state, metrics)
    description = Description(
        data=name,
        size=data.sample_shape[0],
        channels=data.sample_shape[2],
        class_names=class_names,
        width=recipe.network.width,
        feature_size=recipe.network.feature_size,
        test_accuracy=0.0,
        test_count=len(parts.test.label),
        tested_on=parts.tested_on,
        seed=seed,
        epochs=epochs,
        command=shlex.join(["gan-jax", *sys.argv[1:]]),
        version=importlib.metadata.version("gan_jax"),
        git=git_commit() or "",
    )
    if isinstance(data, Audio):
        description = dataclasses.replace(description, sound=sound_of(data))
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    saved = classifier_file.decode(classifier_file.encode(description, variables), str(out))
    right = classify(saved, parts.test.sample).probabilities.argmax(-1) == parts.test.label
    description = dataclasses.replace(description, test_accuracy=float(right.mean()))
    write_atomically(out, classifier_file.encode(description, saved.variables))
    return description


def sound_of(data: Audio) -> SoundInput:
    """Returns how spectrograms are made of waveforms, as a classifier's file has it.

    Raises:
        RequestError: samples are not spectrograms, or recordings are not normalised, as those that
            a classifier is given are.
    """
    form = data.spectrogram
    if form is None or not data.source.normalise:
        raise RequestError("a classifier of sound needs spectrograms of normalised recordings")
    mean, deviation = (tuple(map(float, part)) for part in data.statistics())
    numbers = (form.window, form.hop, form.floor, form.clip)
    return SoundInput(data.rate, data.length, *numbers, mean, deviation)


def batch_size(count: int) -> int:
    """Returns the number of examples in each step: BATCH, or all of them if there are fewer."""
    return min(BATCH, count)


@contextlib.contextmanager
def progress(steps: int, steps_of_epoch: float) -> Iterator[Callable[[State, Any], None]]:
    """Yields a function that shows state and metrics: a bar on a terminal, else a line at times."""
    console = Console(stderr=True, soft_wrap=True)
    last_line = time.monotonic()
    with make_bar(console) as bar:
        task = bar.add_task("compiling", total=steps, figures="")

        def show(state: State, metrics: Any) -> None:
            nonlocal last_line
            step = int(state.step)
            figures = (
                f"epoch {step / steps_of_epoch:.1f} · loss {float(metrics['loss']):.3f} · "
                f"{float(metrics['accuracy']):.1%} right"
            )
            bar.update(task, completed=step, figures=figures, description="training")
            if bar.disable and time.monotonic() - last_line > SECONDS_BETWEEN_LINES:
                console.print(f"step {step}/{steps} · {figures}", highlight=False)
                last_line = time.monotonic()

        yield show


@functools.partial(jax.jit, static_argnums=(0, 1))
def _updates(recipe, data, key, state, raw_batches):
    def one(state, raw):
        return update(recipe, key, state, data.prepare(raw)["sample"], raw["label"])

    return jax.lax.scan(one, state, raw_batches)


def labelled(data: Images | Audio) -> Labelled:
    """Returns all examples of data that have labels."""
    examples = data.load()
    return Labelled(examples.sample, examples.label)


def _key(key: PRNGKeyArray, step: Int[Array, ""] | int, stream: Stream) -> PRNGKeyArray:
    return jax.random.fold_in(jax.random.fold_in(key, step), stream)
