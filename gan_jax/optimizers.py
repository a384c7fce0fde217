"""Optimizers as values: hashable descriptions from which optax transformations are built."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax

from gan_jax.checks import check_bounds, check_types


@dataclasses.dataclass(frozen=True)
class Adam:
    """Adam with Keras's constants, and in Keras's form.

    Kingma and Ba (2015), the reformulation at the end of section 2: eps is added to the root of
    the second moment *before* its bias correction, so that at step t it counts as
    eps / sqrt(1 - b2^t) does in algorithm 1 and in `optax.adam`. In the first steps, where a
    GAN's gradients may be as small, the two forms differ by several percent.

    Attributes:
        learning_rate: step size alpha.
        b1: decay of the first moment, in [0, 1).
        b2: decay of the second moment, in [0, 1).
        eps: added to the root of the second moment.
        schedule: None, or a `FromOptax` description of an optax schedule whose value at each of
            this player's updates multiplies the learning rate.
    """

    learning_rate: float = 1e-4
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-7
    schedule: Any = None

    def __post_init__(self) -> None:
        """Validates the constants."""
        check_types(self)
        check_bounds(self, "learning_rate eps", at_least=0)
        check_bounds(self, "b1 b2", at_least=0, below=1)

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

    `from_optax` writes it more briefly.

    Attributes:
        function: the function, `optax.rmsprop` for example.
        arguments: its keyword arguments; a value may be a `FromOptax` itself.
    """

    function: Callable[..., Any]
    arguments: dict[str, Any]

    def __hash__(self) -> int:
        """Hashes by value, as a frozen dataclass does; the dictionary is never changed."""
        return hash((self.function, tuple(sorted(self.arguments.items()))))

    def build(self) -> Any:
        """Calls the function with its arguments, nested descriptions built first."""
        return self.function(
            **{
                name: value.build() if isinstance(value, FromOptax) else value
                for name, value in self.arguments.items()
            }
        )


def from_optax(function: Callable[..., Any], **arguments: Any) -> FromOptax:
    """Describes `function(**arguments)`: `from_optax(optax.rmsprop, learning_rate=1e-4)`."""
    return FromOptax(function, arguments)
