"""What may help a run in trouble: fields of its experiment, with a value to try."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from gan_jax import gan
from gan_jax.experiment import Experiment
from gan_jax.penalties import R1, nested
from gan_jax.shapes import mixes_examples

MISSING = object()


class Remedy(NamedTuple):
    """A change of one field.

    Attributes:
        path: of the field, dotted.
        change: value now -> value to try; None where this would be no remedy.
        why: what it does.
    """

    path: str
    change: Callable[[Any], Any]
    why: str


def half(value: float) -> float | None:
    """Half of a rate or a width; no remedy for a width of 1."""
    return value // 2 or None if isinstance(value, int) else value / 2


def at_least(least: float) -> Callable[[float], float | None]:
    """Raises a value to `least`; no remedy for one that is there already."""
    return lambda value: least if value < least else None


def at_most(most: float) -> Callable[[float], float | None]:
    """Lowers a value to `most`; no remedy for one that is there already."""
    return lambda value: most if value > most else None


SLOWER_DISCRIMINATOR = Remedy(
    "discriminator_optimizer.learning_rate", half, "the discriminator learns more slowly"
)
SLOWER_GENERATOR = Remedy(
    "generator_optimizer.learning_rate", half, "the generator moves less between two judgements"
)
DROPOUT = Remedy("discriminator.dropout", at_least(0.3), "it cannot rely on single activations")
STRONGER_R1 = Remedy(
    "penalties.0.gamma", lambda gamma: 2 * gamma or 1.0, "smoother logits around the data"
)
LESS_MOMENTUM = "steps follow the opponent, not its past"

REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "discriminator too strong": (
        Remedy("discriminator_steps", at_most(1), "as many steps of both players"),
        SLOWER_DISCRIMINATOR,
        Remedy("loss.label_smoothing", at_least(0.1), "its logits on real examples stay bounded"),
        DROPOUT,
        STRONGER_R1,
    ),
    "discriminator overfitting": (
        DROPOUT,
        STRONGER_R1,
        Remedy("discriminator.width", half, "less room to remember single examples"),
        SLOWER_DISCRIMINATOR,
    ),
    "collapse": (
        SLOWER_GENERATOR,
        Remedy("generator_optimizer.b1", at_most(0.5), LESS_MOMENTUM),
        Remedy("batch_size", lambda size: 2 * size, "batches that show more of the data"),
        Remedy("ema_decay", at_least(0.998), "samples from an average of many generators"),
        STRONGER_R1,
    ),
    "diverging": (
        SLOWER_GENERATOR,
        SLOWER_DISCRIMINATOR,
        Remedy("generator_optimizer.b1", at_most(0.5), LESS_MOMENTUM),
        Remedy("discriminator_optimizer.b1", at_most(0.5), LESS_MOMENTUM),
        STRONGER_R1,
    ),
}


def advice(experiment: Experiment, verdict: str) -> list[str]:
    """Lists what to try against a verdict, as arguments of `gan-jax train`, where they apply."""
    lines = []
    for remedy in REMEDIES.get(verdict, ()):
        path, change, why = remedy
        if remedy is STRONGER_R1:
            path = _path_of_r1(experiment)
        now = MISSING if path is None else _value(experiment, path)
        value = None if now is MISSING else change(now)
        if value is not None:
            flag = path.replace("_", "-")
            lines.append(f"--{flag} {_number(value)} (now {_number(now)}): {why}")
    if STRONGER_R1 in REMEDIES.get(verdict, ()) and _may_have_r1(experiment):
        lines.append(f"penalties=(penalties.R1(gamma=1.0),) in the file: {STRONGER_R1.why}")
    return lines


def _value(experiment: Experiment, path: str) -> Any:
    def inner(value, name):
        if isinstance(value, tuple):
            return value[int(name)] if int(name) < len(value) else MISSING
        return getattr(value, name, MISSING)

    return functools.reduce(inner, path.split("."), experiment)


def _path_of_r1(experiment: Experiment) -> str | None:
    """The path of the weight of R1, which other penalties may change; None where there is none."""
    for position, penalty in enumerate(experiment.penalties):
        for depth, each in enumerate(nested(penalty)):
            if isinstance(each, R1):
                return f"penalties.{position}{'.penalty' * depth}.gamma"
    return None


def _may_have_r1(experiment: Experiment) -> bool:
    return _path_of_r1(experiment) is None and not mixes_examples(
        jax.eval_shape(lambda: gan.init(experiment, 0))
    )


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
