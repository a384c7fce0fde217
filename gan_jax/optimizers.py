"""Optimizers as hashable descriptions, from which optax transformations are built."""

import dataclasses
import inspect
import math
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from gan_jax.common.errors import RequestError
from gan_jax.common.schedules import check_number_or_schedule, check_schedule, value_at
from gan_jax.common.traced_fields import TRACED
from gan_jax.common.validation import check_bounds, check_types


@dataclasses.dataclass(frozen=True)
class Schedule:
    """A number that changes over the steps: warm-up to `start`, a plateau, then a change to `end`.

    By default it is a factor that falls from 1 to 0, by which a learning rate or a penalty is
    multiplied. Where a field takes a number or a schedule, its value is the number itself.

    Attributes:
        shape: shape of the change from `start` to `end`: "linear", "cosine" (half a period;
            Loshchilov and Hutter, 2017, equation 5 without restarts), or "constant" for none.
        steps: step at which the change ends; only for a shape that changes.
        warm_up: number of steps of the linear warm-up from 0; the value at the first step is
            start / warm_up.
        hold: step at which the change begins, or the end of the warm-up if that is later.
        end: value at the end of the change and after it, at least 0.
        start: value after the warm-up, at least 0.
    """

    shape: Literal["constant", "linear", "cosine"] = "constant"
    steps: int | None = None
    warm_up: int = 0
    hold: int = 0
    end: float = 0.0
    start: float = 1.0

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "warm_up hold start end", at_least=0)
        start = max(self.warm_up, self.hold)
        if self.shape != "constant" and (self.steps is None or self.steps <= start):
            raise RequestError(
                f"Schedule.steps = {self.steps}: must be above {start}, where the {self.shape} "
                "change begins"
            )
        for name in ("steps", "hold", "end") if self.shape == "constant" else ():
            if value := getattr(self, name):
                raise RequestError(
                    f"Schedule.{name} = {value}: needs a shape that decays or rises; give "
                    "shape='linear' or shape='cosine'"
                )

    @property
    def largest(self) -> float:
        """The largest value at any step."""
        return self.start if self.shape == "constant" else max(self.start, self.end)

    def build(self) -> Callable[[Any], Any]:
        """Returns a function from the step, which counts from 0, to the value."""
        begin = max(self.warm_up, self.hold)

        def value(step):
            warm = jnp.minimum((step + 1) / self.warm_up, 1.0) if self.warm_up else 1.0
            if self.shape == "constant":
                return warm * self.start
            done = jnp.clip((step - begin) / (self.steps - begin), 0, 1)
            left = 1 - done if self.shape == "linear" else (1 + jnp.cos(jnp.pi * done)) / 2
            return warm * (self.end + (self.start - self.end) * left)

        return value


@dataclasses.dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba, 2015).

    Attributes:
        learning_rate: step size alpha, at least 0.
        b1: decay rate of the first moment, in [0, 1).
        b2: decay rate of the second moment, in [0, 1), or a schedule of it: for example
            `Schedule("cosine", 10_000, start=0.9, end=0.99)`. The n-th update takes the value at
            step n - 1, in its bias correction as well.
        eps: added to the square root of the second moment, at least 0; 1e-8 in the paper. Keras's
            Adam is `form="keras"` with eps 1e-7.
        form: where eps is added. "paper": after the bias correction of the second moment, as in
            algorithm 1, `optax.adam` and PyTorch. "keras": before it, as in the reformulation at
            the end of section 2 and in Keras. In the latter, eps acts at update t like
            eps / sqrt(1 - b2^t) in algorithm 1: 32 times as large at the first update and 10 times
            at the tenth (b2 = 0.999), which matters where gradients are as small as 1e-6.
        schedule: a `Schedule`, or `from_optax` of an optax schedule. The learning rate is
            multiplied by its value, which is a function of the number of this player's updates.
    """

    learning_rate: float = dataclasses.field(default=1e-4, metadata=TRACED)
    b1: float = 0.9
    b2: Any = 0.999
    eps: float = 1e-8
    form: Literal["paper", "keras"] = "paper"
    schedule: Any = Schedule()

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "learning_rate eps", at_least=0)
        check_bounds(self, "b1", at_least=0, below=1)
        check_number_or_schedule(self, "b2", "at least 0 and below 1", lambda b2: 0 <= b2 < 1)
        right = 'Schedule("linear", steps=1000), for example'
        check_schedule("Adam", "schedule", self.schedule, right)

    def build(self) -> optax.GradientTransformation:
        """Returns the optax gradient transformation."""
        parts = [self._scale(), optax.scale_by_learning_rate(self.learning_rate)]
        if self.schedule != Schedule():
            parts.append(optax.scale_by_schedule(self.schedule.build()))
        return optax.chain(*parts)

    def _scale(self) -> optax.GradientTransformation:
        def eps_after_correction(updates_before):
            b2 = value_at(self.b2, updates_before)
            return self.eps / jnp.sqrt(1 - b2 ** (updates_before + 1.0))

        b2 = self.b2.build() if hasattr(self.b2, "build") else self.b2
        eps = eps_after_correction if self.form == "keras" else self.eps
        fixed = [name for name, value in (("b2", b2), ("eps", eps)) if not callable(value)]
        if len(fixed) == 2:
            return optax.scale_by_adam(self.b1, b2, eps)
        scale_by_adam = optax.inject_hyperparams(optax.scale_by_adam, ("b1", "eps_root", *fixed))
        return scale_by_adam(self.b1, b2, eps=eps)


@dataclasses.dataclass(frozen=True)
class FromOptax:
    """A call of an optax function, deferred until it is built: a transformation or a schedule.

    `from_optax` is the short way to write it. Arguments that are descriptions themselves (anything
    with a `build` method, such as `Adam`) are built first.

    Attributes:
        function: the function, for example `optax.rmsprop`.
        positional: its positional arguments.
        arguments: its keyword arguments.
    """

    function: Callable[..., Any]
    positional: tuple[Any, ...]
    arguments: dict[str, Any]

    def __post_init__(self) -> None:
        try:
            inspect.signature(self.function).bind(*self.positional, **self.arguments)
        except TypeError as error:
            raise RequestError(f"from_optax({self.function!r}, ...): {error}") from error

    def __hash__(self) -> int:
        # By value, as for any frozen dataclass; the arguments are a dictionary, which has no hash.
        return hash((self.function, repr(self.positional), repr(sorted(self.arguments.items()))))

    def build(self) -> Any:
        """Calls the function with its arguments and returns the result."""
        arguments = {name: _built(value) for name, value in self.arguments.items()}
        return self.function(*map(_built, self.positional), **arguments)


def from_optax(function: Callable[..., Any], *positional: Any, **arguments: Any) -> FromOptax:
    """Describes the optimizer or schedule `function(*positional, **arguments)`.

    For example `from_optax(optax.rmsprop, learning_rate=1e-4)`, or Adam with clipped gradients:
    `from_optax(optax.chain, from_optax(optax.clip_by_global_norm, 1.0), Adam(1e-4))`.

    Raises:
        RequestError: the function does not accept these arguments.
    """
    return FromOptax(function, positional, arguments)


def clip_weights(bound: float) -> optax.GradientTransformation:
    """Clips every parameter to [-bound, bound]; goes last in a chain of transformations.

    Arjovsky, Chintala, Bottou (2017), algorithm 1, with a bound of 0.01:
    `from_optax(optax.chain, from_optax(optax.rmsprop, 5e-5), from_optax(clip_weights, 0.01))`.

    Where a guard has reduced the learning rates, updates are scaled after clipping: a weight that
    starts outside the bounds then moves closer at each step, and one within them stays within.

    Args:
        bound: largest absolute value of a parameter, above 0 and finite.

    Raises:
        RequestError: the bound is not above 0 and finite.
    """
    if not 0 < bound < math.inf:
        raise RequestError(f"clip_weights: bound = {bound!r}: must be above 0, and finite")

    def update(updates, state, params):
        def clipped(update, param):
            return jnp.clip(param + update, -bound, bound) - param

        return jax.tree.map(clipped, updates, params), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def _built(value: Any) -> Any:
    return value.build() if callable(getattr(value, "build", None)) else value
