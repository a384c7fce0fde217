"""Samples of a trained generator, and the discriminator's outputs for samples."""

import functools
import math
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int32

from gan_jax import gan
from gan_jax.common.errors import RequestError
from gan_jax.common.memory import check_fits
from gan_jax.common.validation import is_number, nearest
from gan_jax.data.dataset import in_short
from gan_jax.experiment import Experiment
from gan_jax.runtime import devices

# One compiled shape for any number of samples, so that rounding does not depend on their number. On
# CPU a smaller batch takes longer per sample, as every call transforms the kernels anew
# (`benchmarks/pieces.py`).
BATCH = 256
# In one program, as each call allocates its buffers anew, and the first use of memory is slow.
BATCHES_PER_CALL = 8
MOST = 2**31 - 1  # samples at a time, as arrays are indexed by int32
FLOAT_BYTES = 4


def check_memory(experiment: Experiment, count: int, name: str, *, kept: bool) -> None:
    """Checks, before anything is drawn, an estimate of what samples take at the very least.

    Args:
        experiment: the configuration.
        count: how many samples are drawn.
        name: option or argument that says so, for messages.
        kept: whether all of them are in memory together, and not only their latents.

    Raises:
        RequestError: it does not fit; says what it takes and what there is.
    """
    if count > MOST:
        raise RequestError(f"{name}: at most {MOST:,} samples can be drawn at a time")
    latents = count * experiment.latent_size * FLOAT_BYTES
    check_fits(
        f"{name}: drawing so many latents", latents, devices.memory_bytes(), "memory of the device"
    )
    if kept:
        # `from_latents` has them once in parts, and once as a whole.
        samples = 2 * count * math.prod(experiment.data.sample_shape) * FLOAT_BYTES
        check_fits(f"{name}: drawing so many samples", samples)


def draw_latents(
    experiment: Experiment, key: int, count: int, truncation: float | None = None
) -> Float[Array, "count latent"]:
    """Draws latents from the experiment's distribution; the same key gives the same latents.

    Args:
        experiment: the configuration.
        key: any non-negative integer.
        count: how many latents.
        truncation: of normal latents: draw only from [-truncation, truncation], for samples that
            are better and vary less (Brock et al., 2019, section 3.1).

    Raises:
        RequestError: the truncation is not above 0, or the latents are not normal, or have to be.
    """
    if truncation is None:
        return gan.draw_latent(experiment, _key(key), count)
    if not 0 < truncation < math.inf:
        raise RequestError(f"truncation = {truncation}: must be a number above 0")
    if experiment.latent_distribution != "normal":
        raise RequestError(
            f"truncation = {truncation}: the run's latents are {experiment.latent_distribution}, "
            "and only normal ones have tails to cut"
        )
    if getattr(experiment.generator, "normal_latents", False):
        raise RequestError(
            f"truncation = {truncation}: the generator needs the tails of its latents, by which it "
            "draws"
        )
    shape = (count, experiment.latent_size)
    return jax.random.truncated_normal(_key(key), -truncation, truncation, shape, jnp.float32)


def take_turns(
    experiment: Experiment, count: int, classes: int | None = None
) -> Int32[np.ndarray, " count"] | None:
    """Returns the classes 0, 1, 2, ... one after another; None for data without labels.

    Args:
        experiment: the configuration.
        count: of samples.
        classes: how many the run has, see `runs.Run.class_names`; those of the data if None.
    """
    if not experiment.data.labels:
        return None
    classes = experiment.data.classes if classes is None else classes
    return (np.arange(count) % classes).astype(np.int32)


def draw_labels(experiment: Experiment, key: int, count: int) -> Int32[np.ndarray, " count"] | None:
    """Draws classes as often as the data have them; None for data without labels.

    Scores take these: with equal shares of the classes, samples would differ from data with other
    shares however good they are.

    Args:
        experiment: the configuration.
        key: any non-negative integer; the same key gives the same classes.
        count: how many.
    """
    if not experiment.data.labels:
        return None
    found = experiment.data.load().label
    return found[np.random.default_rng(key).integers(len(found), size=count)]


def of_class(
    experiment: Experiment, label: int | str, count: int, class_names: Sequence[str] | None = None
) -> Int32[np.ndarray, " count"]:
    """Returns one class for all of `count` samples.

    Args:
        experiment: the configuration.
        label: name or number of the class, as a text or not; names come first, as those of digits
            may be numbers, too.
        count: how many samples.
        class_names: of the run, see `runs.Run.class_names`; those of the data if None.

    Raises:
        RequestError: the run is not conditioned on labels, or there is no such class.
    """
    if not experiment.data.labels:
        raise RequestError(
            f"label {label}: the run was trained without labels, which data have with labels=True"
        )
    names = list(experiment.data.class_names if class_names is None else class_names)
    text = str(label)
    if text in names:
        return np.full(count, names.index(text), np.int32)
    if is_number(text) and int(text) < len(names):
        return np.full(count, int(text), np.int32)
    near = "" if text.isdecimal() else nearest(text, names)
    raise RequestError(
        f"label {label}: the run has the classes 0 to {len(names) - 1}: {in_short(names)}{near}"
    )


def draw(
    experiment: Experiment,
    state: gan.GANState,
    count: int,
    key: int = 0,
    raw: bool = False,
    labels: Int32[np.ndarray, " count"] | None = None,
) -> Float32[np.ndarray, "count ..."]:
    """Draws samples; the same state, key, count and labels give the same bytes.

    Args:
        experiment: the configuration.
        state: a trained state.
        count: how many samples.
        key: seed of the latents; any non-negative integer.
        raw: use the generator's own parameters, not their moving average.
        labels: see `from_latents`.

    Returns:
        Samples as the generator makes them, images in [-1, 1] for example.
    """
    return from_latents(experiment, state, draw_latents(experiment, key, count), raw, labels)


def from_latents(
    experiment: Experiment,
    state: gan.GANState,
    latents: Float[Array | np.ndarray, "count latent"],
    raw: bool = False,
    labels: Int32[np.ndarray, " count"] | None = None,
) -> Float32[np.ndarray, "count ..."]:
    """Generates one sample for each latent; see `in_parts`, which has the arguments."""
    return np.concatenate(list(in_parts(experiment, state, latents, raw, labels)))


def in_parts(
    experiment: Experiment,
    state: gan.GANState,
    latents: Float[Array | np.ndarray, "count latent"],
    raw: bool = False,
    labels: Int32[np.ndarray, " count"] | None = None,
) -> Iterator[Float32[np.ndarray, "_part ..."]]:
    """Generates one sample for each latent, a few thousand at a time, as memory may not hold all.

    The batches have one compiled size.

    Args:
        experiment: the configuration.
        state: a trained state.
        latents: one for each sample.
        raw: use the generator's own parameters, not their moving average.
        labels: the class of each sample, where the data have labels; if None, the classes cycle.
    """
    count = len(latents)
    labels = take_turns(experiment, count) if labels is None else labels
    for start in range(0, count, BATCHES_PER_CALL * BATCH):
        positions = start + np.arange(BATCHES_PER_CALL * BATCH).reshape(BATCHES_PER_CALL, BATCH)
        positions = np.minimum(positions, count - 1)
        conditions = None if labels is None else jnp.asarray(labels[positions])
        padded = jnp.asarray(latents)[positions]
        batches = min(BATCHES_PER_CALL, -(-(count - start) // BATCH))
        static = experiment.static
        drawn = np.asarray(_generate(static, state, padded, conditions, batches, raw))
        yield drawn[:batches].reshape(-1, *experiment.data.sample_shape)[: count - start]


def count_parts(count: int) -> int:
    """Returns in how many parts `in_parts` generates so many samples."""
    return -(-count // (BATCHES_PER_CALL * BATCH))


def interpolate(
    experiment: Experiment, key: int, rows: int, columns: int
) -> Float[Array, "points latent"]:
    """Returns latents on paths between random pairs: `rows` paths of `columns` points each.

    Paths are spherical for normal latents, whose norm concentrates, so that the points keep about
    the norm of the ends (White, 2016, section 2.1), and straight for uniform latents and between
    opposite ends.
    """
    start_key, end_key = jax.random.split(_key(key))
    start = gan.draw_latent(experiment, start_key, rows)[:, None]
    end = gan.draw_latent(experiment, end_key, rows)[:, None]
    position = jnp.linspace(0.0, 1.0, columns)[None, :, None]
    return _between(experiment, start, end, position).reshape(rows * columns, -1)


def walk(
    experiment: Experiment, keys: Sequence[int], count: int, frames: int
) -> Float[Array, "frames count latent"]:
    """Returns latents on closed paths, along which the samples of several keys turn into another.

    Args:
        experiment: the configuration.
        keys: at least two; the paths lead from the latents of each key, see `draw_latents`, to
            those of the next, and from the last back to the first; their form is that of
            `interpolate`.
        count: number of paths.
        frames: points on each path, at equal distances in time; the first one does not come again
            at the end, so that the frames can be repeated without a stop.
    """
    corners = jnp.stack([draw_latents(experiment, key, count) for key in keys])
    time = np.arange(frames) * len(keys) / frames
    leg = time.astype(int)
    start, end = corners[leg], corners[(leg + 1) % len(keys)]
    return _between(experiment, start, end, jnp.asarray(time - leg, jnp.float32)[:, None, None])


def probability_real(
    experiment: Experiment,
    state: gan.GANState,
    samples: Float[np.ndarray, "count ..."],
    labels: Int32[np.ndarray, " count"] | None = None,
) -> Float32[np.ndarray, " count"]:
    """Returns the discriminator's probability that each sample is real: the sigmoid of its logit.

    Args:
        experiment: the configuration.
        state: a trained state.
        samples: as the generator makes them, or `data.read` reads them.
        labels: the class of each sample, for a run that is conditioned on labels, see `of_class`.

    Raises:
        RequestError: the run is conditioned on labels, and there are none.
    """
    if experiment.data.labels and labels is None:
        raise RequestError("the discriminator is conditioned on labels, which these samples lack")
    logits = []
    for start in range(0, len(samples), BATCH):
        batch = slice(start, start + BATCH)
        condition = None if labels is None else labels[batch]
        logits.append(_discriminate(experiment.static, state, samples[batch], condition))
    return np.asarray(jax.nn.sigmoid(np.concatenate(logits)))


def _between(
    experiment: Experiment,
    start: Float[Array, "*#points latent"],
    end: Float[Array, "*#points latent"],
    position: Float[Array, "*#points 1"],
) -> Float[Array, "*points latent"]:
    """Returns the latents at positions from 0, the start, to 1, the end."""
    path = start + position * (end - start)
    if experiment.latent_distribution == "normal":
        lengths = jnp.linalg.norm(start, axis=-1) * jnp.linalg.norm(end, axis=-1)
        angle = jnp.arccos(jnp.clip((start * end).sum(-1) / lengths, -1, 1))[..., None]
        sphere = jnp.sin((1 - position) * angle) * start + jnp.sin(position * angle) * end
        path = jnp.where(jnp.sin(angle) > 1e-3, sphere / jnp.sin(angle), path)
    return path


def _key(key: int) -> jax.Array:
    return gan.stream_key(jax.random.key(key), 0, gan.Stream.SAMPLED_LATENT)


@functools.partial(jax.jit, static_argnames=("experiment", "raw"))
def _generate(experiment, state, latents, conditions, batches, raw):
    def generate_batch(i, drawn):
        condition = None if conditions is None else conditions[i]
        samples = gan.generate(experiment, state, latents[i], condition, raw)
        return drawn.at[i].set(samples.astype(jnp.float32))

    blank = jnp.zeros((*latents.shape[:2], *experiment.data.sample_shape), jnp.float32)
    return jax.lax.fori_loop(0, batches, generate_batch, blank)


@functools.partial(jax.jit, static_argnames="experiment")
def _discriminate(experiment, state, samples, condition):
    return gan.discriminate(experiment, state, samples, condition)
