"""What may help a run in trouble: changes of its experiment's fields, and lines for its file."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from gan_jax import gan
from gan_jax.augmentation import DiffAugment
from gan_jax.common.errors import RequestError
from gan_jax.common.nesting import nested
from gan_jax.experiment import Experiment
from gan_jax.losses import allows_any_offset
from gan_jax.penalties import R1
from gan_jax.training.preflight import mixes_examples

MISSING = object()


class Remedy(NamedTuple):
    """A change of one field.

    Attributes:
        path: dotted path of the field.
        change: function of the present value that returns the value to try, or None if this would
            not help.
        why: what the change does.
    """

    path: str
    change: Callable[[Any], Any]
    why: str


class Addition(NamedTuple):
    """A new line in the experiment's file.

    Attributes:
        line: an argument of `Experiment`, as in a file that imports the modules it uses.
        fits: whether an experiment does not have it yet, and can have it.
        why: what the line does.
    """

    line: str
    fits: Callable[[Experiment], bool]
    why: str


def half(value: float) -> float | None:
    """Halves a rate or a width; None for a width of 1."""
    return value // 2 or None if isinstance(value, int) else value / 2


def at_least(least: float) -> Callable[[float], float | None]:
    """Makes a change that raises a value to `least`; None for values that are not below."""
    return lambda value: least if value < least else None


def at_most(most: float) -> Callable[[float], float | None]:
    """Makes a change that lowers a value to `most`; None for values that are not above."""
    return lambda value: most if value > most else None


SLOWER_DISCRIMINATOR = Remedy(
    "discriminator_optimizer.learning_rate", half, "the discriminator learns more slowly"
)
SLOWER_GENERATOR = Remedy(
    "generator_optimizer.learning_rate",
    half,
    "the generator changes less between two steps of the discriminator",
)
DROPOUT = Remedy("discriminator.dropout", at_least(0.3), "it cannot rely on single activations")
STRONGER_R1 = Remedy(
    "penalties.0.gamma", lambda gamma: 2 * gamma or 1.0, "smoother logits around the data"
)
SPECTRAL = Remedy(
    "discriminator.spectral", lambda on: None if on else True, "a bounded slope everywhere"
)
LESS_MOMENTUM = "steps follow the opponent as it is now, not as it was"


def _may_have_r1(experiment: Experiment) -> bool:
    return _path_of_r1(experiment) is None and not mixes_examples(
        jax.eval_shape(lambda: gan.init(experiment, 0))
    )


def _may_augment(experiment: Experiment) -> bool:
    return not experiment.augmentations


def _may_adapt(experiment: Experiment) -> bool:
    allowed = _may_augment(experiment) and not allows_any_offset(experiment.loss)
    return allowed and _takes_samples(DiffAugment(), experiment)


def _takes_samples(augmentation: DiffAugment, experiment: Experiment) -> bool:
    _, samples, _ = gan.blank_inputs(experiment, 1)
    try:
        jax.eval_shape(lambda key: augmentation(samples, key, None), jax.random.key(0))
    except RequestError:
        return False
    return True


R1_LINE = Addition("penalties=(penalties.R1(1.0),)", _may_have_r1, STRONGER_R1.why)
ADAPTIVE = Addition(
    "augmentations=(augmentation.Adaptive(augmentation.DiffAugment()),)",
    _may_adapt,
    "images are augmented at random, more often the more the discriminator overfits",
)
NOISE = Addition(
    "augmentations=(augmentation.InstanceNoise(0.1, steps=5000),)",
    _may_augment,
    "real examples and samples overlap at first",
)
GUARD = Addition(
    "guard=guard.Guard(after=10)",
    lambda experiment: experiment.guard is None,
    "steps that are not finite are skipped; after ten of them, training rolls back to a snapshot",
)

REMEDIES: dict[str, tuple[Remedy | Addition, ...]] = {
    "discriminator too strong": (
        Remedy("discriminator_steps", at_most(1), "both players make equally many steps"),
        SLOWER_DISCRIMINATOR,
        Remedy("loss.label_smoothing", at_least(0.1), "its logits on real examples stay bounded"),
        DROPOUT,
        STRONGER_R1,
        R1_LINE,
        NOISE,
    ),
    "discriminator fooled": (
        Remedy("discriminator_steps", lambda steps: steps + 1, "it has more time to learn"),
        SLOWER_GENERATOR,
    ),
    "discriminator overfitting": (
        DROPOUT,
        STRONGER_R1,
        Remedy("discriminator.width", half, "less capacity to memorise single examples"),
        SLOWER_DISCRIMINATOR,
        R1_LINE,
        ADAPTIVE,
    ),
    "collapse": (
        R1_LINE,  # gradient penalties helped in experiments/study_stability.py
        STRONGER_R1,
        SLOWER_GENERATOR,
        Remedy("generator_optimizer.b1", at_most(0.5), LESS_MOMENTUM),
        Remedy("batch_size", lambda size: 2 * size, "batches that show more of the data"),
        Remedy("ema_decay", at_least(0.998), "samples from an average of many generators"),
    ),
    "diverging": (
        SLOWER_GENERATOR,
        SLOWER_DISCRIMINATOR,
        Remedy("generator_optimizer.b1", at_most(0.5), LESS_MOMENTUM),
        Remedy("discriminator_optimizer.b1", at_most(0.5), LESS_MOMENTUM),
        SPECTRAL,
        STRONGER_R1,
        R1_LINE,
        GUARD,
    ),
}


def advice(experiment: Experiment, diagnosis: str) -> list[str]:
    """Lists what to try, of the remedies for a diagnosis that apply to an experiment.

    Each is an argument of `gan-jax train` if there is one, else a line for the experiment's file.
    """
    lines = []
    for remedy in REMEDIES.get(diagnosis, ()):
        if isinstance(remedy, Addition):
            if remedy.fits(experiment):
                there = getattr(experiment, remedy.line.partition("=")[0])
                where = "in the file, added to the present ones" if there else "in the file"
                lines.append(f"{remedy.line} {where}: {remedy.why}")
            continue
        path, change, why = remedy
        if remedy is STRONGER_R1:
            path = _path_of_r1(experiment)
        now = MISSING if path is None else _value(experiment, path)
        value = None if now is MISSING else change(now)
        if value is not None:
            flag = path.replace("_", "-")
            lines.append(f"--{flag} {_number(value)} (now {_number(now)}): {why}")
    return lines


def _value(experiment: Experiment, path: str) -> Any:
    def inner(value, name):
        if isinstance(value, tuple):
            return value[int(name)] if int(name) < len(value) else MISSING
        return getattr(value, name, MISSING)

    return functools.reduce(inner, path.split("."), experiment)


def _path_of_r1(experiment: Experiment) -> str | None:
    """Finds the path of the weight of R1, also within wrapped penalties; None without R1."""
    for position, penalty in enumerate(experiment.penalties):
        for depth, each in enumerate(nested(penalty, "penalty")):
            if isinstance(each, R1):
                return f"penalties.{position}{'.penalty' * depth}.gamma"
    return None


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
