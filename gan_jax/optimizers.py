"""Optimizers as values: hashable descriptions from which optax transformations are built."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax

from gan_jax.checks import check_bounds, check_object, check_types
from gan_jax.errors import RequestError
from gan_jax.traced import TRACED


@dataclasses.dataclass(frozen=True)
class Adam:
    """Adam with Keras's constants, and in Keras's form.

    Kingma and Ba (2015), the reformulation at the end of section 2: eps is added to the root of
    the second moment *before* its bias correction, so that at step t it counts as
    eps / sqrt(1 - b2^t) does in algorithm 1 and in `optax.adam`: 32 times at the first update and
    10 times at the tenth (b2 = 0.999), which shows where gradients are as small as 1e-6.

    Attributes:
        learning_rate: step size alpha.
        b1: decay of the first moment, in [0, 1).
        b2: decay of the second moment, in [0, 1).
        eps: added to the root of the second moment.
        schedule: None, or a `FromOptax` description of an optax schedule whose value at each of
            this player's updates multiplies the learning rate.
    """

    learning_rate: float = dataclasses.field(default=1e-4, metadata=TRACED)
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-7
    schedule: Any = None

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "learning_rate eps", at_least=0)
        check_bounds(self, "b1 b2", at_least=0, below=1)
        if self.schedule is not None:
            right = "from_optax(optax.linear_schedule, 1.0, 0.0, 1000), for example"
            check_object("Adam", "schedule", self.schedule, "build", right)

    def build(self) -> optax.GradientTransformation:
        """Returns the optax transformation."""

        def eps_after_correction(updates_before):
            return self.eps / jnp.sqrt(1 - self.b2 ** (updates_before + 1.0))

        scale_by_adam = optax.inject_hyperparams(optax.scale_by_adam, ("b1", "b2", "eps_root"))
        parts = [
            scale_by_adam(self.b1, self.b2, eps=eps_after_correction),
            optax.scale_by_learning_rate(self.learning_rate),
        ]
        if self.schedule is not None:
            parts.append(optax.scale_by_schedule(self.schedule.build()))
        return optax.chain(*parts)


@dataclasses.dataclass(frozen=True)
class FromOptax:
    """Any function of optax with its arguments: a transformation, or a schedule for one.

    `from_optax` writes it more briefly. Arguments that are descriptions themselves (anything with
    a `build` method, `Adam` too) are built first.

    Attributes:
        function: the function, `optax.rmsprop` for example.
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
        # By value, as a frozen dataclass does; arguments may be dictionaries, which have no hash.
        return hash((self.function, repr(self.positional), repr(sorted(self.arguments.items()))))

    def build(self) -> Any:
        """Calls the function with its arguments."""
        arguments = {name: _built(value) for name, value in self.arguments.items()}
        return self.function(*map(_built, self.positional), **arguments)


def from_optax(function: Callable[..., Any], *positional: Any, **arguments: Any) -> FromOptax:
    """Describes `function(*positional, **arguments)`.

    `from_optax(optax.rmsprop, learning_rate=1e-4)`, or with the gradient clipped before Adam:
    `from_optax(optax.chain, from_optax(optax.clip_by_global_norm, 1.0), Adam(1e-4))`.

    Raises:
        RequestError: the function does not take these arguments.
    """
    return FromOptax(function, positional, arguments)


def _built(value: Any) -> Any:
    return value.build() if callable(getattr(value, "build", None)) else value
