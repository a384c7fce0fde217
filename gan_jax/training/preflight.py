"""Checks before training that networks, data, losses and optimizers fit together."""

import dataclasses
import functools
import json
import math
import sysconfig
import traceback
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from gan_jax import gan
from gan_jax.common.errors import RequestError
from gan_jax.common.memory import check_fits, in_words
from gan_jax.common.nesting import nested
from gan_jax.data.dataset import Dataset
from gan_jax.experiment import Experiment
from gan_jax.losses import allows_any_offset
from gan_jax.runtime import devices

FLOAT_BYTES = 4


def check_shapes(experiment: Experiment) -> None:
    """Checks shapes and types by tracing the initialisation, both networks and one update.

    Nothing is computed and no data are loaded.

    Raises:
        RequestError: names the part that does not fit, with the shape found and the right one.
    """
    wide = (
        "; jax_enable_x64 is on (JAX_ENABLE_X64), which not all networks work with: unset it"
        if jax.config.jax_enable_x64
        else ""
    )
    try:
        _check_networks(experiment)
        _check_update(experiment)
    except RequestError as error:
        raise RequestError(f"{error}{wide}") from error
    except Exception as error:  # whatever the experiment's own code raises
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        hint = (
            "; networks are called as module(x, condition, training=...), losses as "
            "discriminator(real_logits, fake_logits) and generator(real_logits, fake_logits), "
            "penalties as penalty(logits_fn, real, fake, key), with needs_state = True followed by "
            "the state, and augmentations as augmentation(sample, key, state)"
        )
        raise RequestError(
            f"the networks, loss, penalties or optimizers fail{_place(error)}: {reason}"
            f"{hint if isinstance(error, TypeError) else ''}{wide}"
        ) from error


def check_memory(experiment: Experiment, runs: int = 1, available: int | None = None) -> None:
    """Checks an estimate of what training takes at the very least: its states and one batch.

    Nothing is allocated and no data are loaded. What cannot be built passes: `check_shapes` says
    what is wrong with it.

    Args:
        experiment: what is trained.
        runs: how many of them start together, each with a state of its own.
        available: bytes of a device; those of this machine's devices if None.

    Raises:
        RequestError: it does not fit into the memory of a device; says what takes most of it.
    """
    try:
        state = _state(experiment.static)
    except Exception:  # whatever the experiment's own code raises
        return
    e, available = experiment, available or devices.memory_bytes()
    device = {"available": available, "place": "memory of a device"}
    if e.evaluate_every:
        latents = e.evaluate_samples * e.latent_size * FLOAT_BYTES
        check_fits(
            f"evaluate_samples = {e.evaluate_samples}: drawing so many latents", latents, **device
        )
    stored = math.prod(e.data.stored.shape) * np.dtype(e.data.stored.dtype).itemsize
    # Each example as it is stored, and real and generated samples.
    example = stored + (2 * math.prod(e.data.sample_shape) + e.latent_size) * FLOAT_BYTES
    batch = e.examples_per_step * example // jax.device_count()  # a batch may be split over devices
    parts = {
        f"{_described('generator', e.generator)} latent_size = {e.latent_size},": runs
        * _bytes(state.generator),
        _described("discriminator", e.discriminator): runs * _bytes(state.discriminator),
        f"a batch of batch_size = {e.batch_size} samples of {list(e.data.sample_shape)}": batch,
    }
    largest = max(parts, key=parts.get)
    among = f"training with {runs} seeds" if runs > 1 else "training"
    check_fits(
        f"{largest} takes {in_words(parts[largest])}: {among}",
        runs * _bytes(state) + batch,
        **device,
    )


def _described(player: str, module: Any) -> str:
    """A network with its whole numbers and the other values that decide its size."""
    fields = dataclasses.fields(module) if dataclasses.is_dataclass(module) else ()
    sizes = (
        f"{field.name}={value}"
        for field in fields
        if type(value := getattr(module, field.name, None)) in (int, tuple)
    )
    return f"{player} = {type(module).__name__}({', '.join(sizes)}) with its optimizer's state,"


def _bytes(tree: PyTree) -> int:
    arrays = (leaf for leaf in jax.tree.leaves(tree) if hasattr(leaf.dtype, "itemsize"))
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in arrays)


def check_classes(experiment: Experiment) -> None:
    """Checks that networks know all classes of the data; loads the data.

    Raises:
        RequestError: names the network and both numbers.
    """
    players = ("generator", "discriminator") if experiment.data.labels else ()
    if getattr(experiment.data, "targets", False):
        players = ("discriminator",)
    for player in players:
        known = getattr(getattr(experiment, player), "classes", None)
        if known is not None and known < experiment.data.classes:
            raise RequestError(
                f"{player}.classes = {known}: the data have {experiment.data.classes} classes"
            )


def _place(error: Exception) -> str:
    """Says where the user's own code failed: the innermost frame outside of libraries."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    paths = [sysconfig.get_paths()[name] for name in names]
    libraries = {Path(__file__).parents[1], *map(Path, paths)}
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if (path := Path(frame.filename)).is_file() and libraries.isdisjoint(path.parents)
    ]
    return f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""


@functools.lru_cache(maxsize=1)  # several checks need it, and tracing takes a while
def _state(experiment: Experiment) -> gan.GANState:
    """The shapes and types of the train state of a static configuration."""
    return jax.eval_shape(lambda: gan.init(experiment, 0))


def _blank_inputs(experiment: Experiment, count: int) -> PyTree:
    """`gan.blank_inputs` as shapes and types, as the arrays may not fit into memory."""
    return jax.eval_shape(lambda: gan.blank_inputs(experiment, count))


def _blank_labels(experiment: Experiment, count: int) -> dict[str, jax.ShapeDtypeStruct]:
    """The labels that the discriminator's loss needs, if it does."""
    if not getattr(experiment.loss, "needs_labels", False):
        if getattr(experiment.data, "targets", False):
            raise RequestError(
                f"loss = {experiment.loss!r}: does not use the labels of the data, which make up "
                "half of each batch: losses.SemiSupervised() does; or give the images without them"
            )
        return {}
    if not getattr(experiment.data, "targets", False):
        raise RequestError(
            f"loss = {experiment.loss!r}: needs data with labels as its targets: "
            "data.few_labels.few_labels(...) makes such"
        )
    return {"label": jax.ShapeDtypeStruct((count,), np.int32)}


def mixes_examples(state: gan.GANState) -> bool:
    """Whether a logit depends on the whole batch, through the discriminator's BatchNorm."""
    return "batch_stats" in state.discriminator.variables


def _check_networks(experiment: Experiment) -> None:
    batch, shape = 2, experiment.data.sample_shape
    distribution = experiment.latent_distribution
    if distribution != "normal" and getattr(experiment.generator, "normal_latents", False):
        raise RequestError(
            f"Experiment.latent_distribution = {distribution!r}: the generator needs 'normal'"
        )
    latent, _, condition = _blank_inputs(experiment, batch)
    state = _state(experiment.static)
    fake = jax.eval_shape(
        lambda s, z, c: gan.generate(experiment, s, z, c), state, latent, condition
    )
    if fake.shape != (batch, *shape):
        made = fake.shape[1:]
        raise RequestError(f"the generator makes samples of shape {made}, the data have {shape}")
    output = jax.eval_shape(
        lambda s, sample, c: gan.discriminator_output(experiment, s, sample, c),
        *(state, fake, condition),
    )
    logits = gan.logits_of(output)
    if logits.shape != (batch,):
        raise RequestError(
            f"the discriminator must return logits of shape [batch]; for a batch of {batch} it "
            f"returns {list(logits.shape)}"
        )
    if mixes_examples(state):
        for penalty in experiment.penalties:
            if getattr(penalty, "needs_single_examples", False):
                *_, innermost = nested(penalty, "penalty")
                raise RequestError(
                    f"{type(innermost).__name__} penalises the gradient of each logit with respect "
                    "to its own sample, but the discriminator's BatchNorm makes it depend on the "
                    "whole batch: remove one of the two"
                )
    adaptive = any(hasattr(each, "next_probability") for each in experiment.augmentations)
    if adaptive and allows_any_offset(experiment.loss):
        raise RequestError(
            f"Experiment.augmentations: an adaptive one follows the signs of logits, which mean "
            f"nothing with {experiment.loss!r}; use the augmentation without Adaptive around it, "
            "or a loss that is neither Wasserstein nor relativistic"
        )
    labels = _blank_labels(experiment, batch)
    for player in ("discriminator", "generator"):
        try:
            losses = jax.eval_shape(
                getattr(experiment.loss, player), output, output, *labels.values()
            )
        except TypeError as error:
            if logits is output:
                raise
            raise RequestError(
                f"loss = {experiment.loss!r}: must take the {type(output).__name__} that the "
                "discriminator returns, as losses.AuxiliaryClassifier(...) does"
            ) from error
        shape = getattr(losses, "shape", None)
        if shape != (batch,):
            returned = type(losses).__name__ if shape is None else list(shape)
            raise RequestError(
                f"loss.{player} must return [batch], a loss for each example; for a batch of "
                f"{batch} it returns {returned}"
            )


def fitted_values(data: Dataset) -> dict[str, Any] | None:
    """Returns what `data.fitted` does, if a run can record it and read it again.

    Raises:
        RequestError: it cannot.
    """
    fitted = data.fitted()
    try:
        right = fitted is None or (isinstance(fitted, dict) and bool(json.dumps(fitted)))
    except (TypeError, ValueError):
        right = False
    if not right or (fitted is not None and not hasattr(data, "with_fitted")):
        raise RequestError(
            f"{type(data).__name__}.fitted must return None, or a dictionary for JSON that "
            "with_fitted takes; see gan_jax.data.dataset.Dataset"
        )
    return fitted


@functools.lru_cache(maxsize=1)  # the loop needs it again, and tracing takes a while
def update_shapes(experiment: Experiment) -> tuple[gan.GANState, gan.Metrics]:
    """Returns the shapes and types of what an update returns.

    Args:
        experiment: the static configuration, see `Experiment.static`.
    """
    _, sample, condition = _blank_inputs(experiment, experiment.examples_per_step)
    labels = _blank_labels(experiment, experiment.examples_per_step)
    batch = {"sample": sample, "condition": condition} | labels
    update = functools.partial(gan.update, experiment)
    return jax.eval_shape(update, _state(experiment), batch)


def _check_update(experiment: Experiment) -> None:
    before, (after, _) = _state(experiment.static), update_shapes(experiment.static)
    for (path, old), new in zip(
        jax.tree_util.tree_leaves_with_path(before), jax.tree.leaves(after), strict=True
    ):
        if (old.shape, old.dtype) != (new.shape, new.dtype):
            name = jax.tree_util.keystr(path, simple=True, separator=".")
            raise RequestError(
                f"an update turns {name} from {old.dtype}{list(old.shape)} into "
                f"{new.dtype}{list(new.shape)}"
            )
