"""What a run is: one frozen, hashable value that holds objects, not names."""

import dataclasses
import math
from typing import Any, Literal

from gan_jax.common import traced_fields
from gan_jax.common.errors import RequestError
from gan_jax.common.schedules import check_schedule
from gan_jax.common.traced_fields import TRACED
from gan_jax.common.validation import check_bounds, check_object, check_types, nearest
from gan_jax.losses import NonSaturating
from gan_jax.metrics.names import CHOOSING
from gan_jax.optimizers import Adam

# Of gan_jax.data.dataset.Dataset; the attributes may load the data when they are read.
DATA_ATTRIBUTES = (
    "labels sample_shape stored split count classes class_names samples_per_page suffixes "
    "final_suffixes"
)
DATA_METHODS = (
    "load fingerprint fitted indices gather prepare to_stored page cells write read held_out "
    "features"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """An experiment, validated where it is built.

    Being hashable and compared by value, it is a static argument of every compiled function.

    Attributes:
        generator: Linen module, (latent, condition, training) -> sample.
        discriminator: Linen module, (sample, condition, training) -> logits [batch].
        data: description of a data set, `gan_jax.data.images.mnist_sample()` for example.
        loss: object with `discriminator` and `generator`, see `gan_jax.losses`.
        penalties: functions of a discriminator closure, see `gan_jax.penalties`; their means are
            added to the discriminator's loss.
        augmentations: of what the discriminator sees, one after another, see
            `gan_jax.augmentation`.
        generator_optimizer: object whose `build()` returns an optax transformation.
        discriminator_optimizer: likewise, for the other player.
        latent_size: numbers in one latent.
        latent_distribution: "normal" is N(0, 1), "uniform" is U(-1, 1), for each number.
        batch_size: real examples in each update of the discriminator.
        steps: updates of the generator; give this or `epochs`.
        epochs: passes over the data, rounded up to whole steps.
        discriminator_steps: updates of the discriminator for each update of the generator.
        update_order: "simultaneous": both players step from the same parameters and the same
            fakes; "alternating": the discriminator first, then the generator against the new
            discriminator with fresh latents (Goodfellow et al., 2014, algorithm 1).
        generator_batch: the examples whose conditions, and with relativistic losses whose logits,
            the generator's update takes: "shared" with the discriminator's last update, or "fresh",
            the next `batch_size` of the data, which needs the alternating order.
        compute_dtype: of the networks while they train; "bfloat16" halves their memory traffic.
            Parameters, losses, penalties, optimizers and sampling are float32 either way.
        ema_decay: decay of the moving average of the generator that is sampled from; 0 is off.
        ema_schedule: a `Schedule`, or `from_optax` of an optax schedule: the half-life that belongs
            to `ema_decay` is multiplied by its value, so that from `start=0.0` the average grows
            longer with training. None is the short warm-up of `logit_averages.warmed_up`.
        guard: what to do about steps that are not finite, see `gan_jax.guard`; None ends the run.
        seed: seed of the parameters, of every random draw, and of the order of the examples.
        log_every: steps from one line of metrics to the next.
        sample_every: steps from one grid of samples to the next.
        save_every: steps from one checkpoint to the next.
        keep_checkpoints: how many of the newest checkpoints stay on disk.
        device_memory_fraction: the data are put on the device if they take at most this fraction
            of its memory; otherwise they are streamed. Both give the same batches.
        features: network whose features the samples are scored with, see
            `gan_jax.features.network`; None is the bundled one for MNIST, and none for other data.
        evaluate_every: steps from one evaluation to the next; None is off.
        evaluate_samples: how many samples each of them draws.
        best_metric: the metric by which the best checkpoint is chosen.
    """

    generator: Any
    discriminator: Any
    data: Any
    loss: Any = NonSaturating()
    penalties: tuple[Any, ...] = ()
    augmentations: tuple[Any, ...] = ()
    generator_optimizer: Any = Adam()
    discriminator_optimizer: Any = Adam()
    latent_size: int = 100
    latent_distribution: Literal["normal", "uniform"] = "normal"
    batch_size: int = 256
    steps: int | None = None
    epochs: int | None = None
    discriminator_steps: int = 1
    update_order: Literal["simultaneous", "alternating"] = "simultaneous"
    generator_batch: Literal["shared", "fresh"] = "shared"
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    ema_decay: float = dataclasses.field(default=0.0, metadata=TRACED)
    ema_schedule: Any = None
    guard: Any = None
    seed: int = 0
    log_every: int = 20
    sample_every: int = 500
    save_every: int = 500
    keep_checkpoints: int = 3
    device_memory_fraction: float = 0.25
    features: Any = None
    evaluate_every: int | None = None
    evaluate_samples: int = 2000
    best_metric: str = "frechet_distance"

    def __post_init__(self) -> None:
        """Validates every field.

        Raises:
            RequestError: names field, value and what would be right.
        """
        check_types(self)
        optimizer = "build", "Adam(...) or from_optax(optax.rmsprop, 1e-4), for example"
        for field, (methods, right) in {
            "generator": ("init apply", "a Linen module"),
            "discriminator": ("init apply", "a Linen module"),
            "data": (DATA_METHODS, "what gan_jax.data.images or gan_jax.data.points makes"),
            "loss": ("discriminator generator", "losses.NonSaturating(), for example"),
            "generator_optimizer": optimizer,
            "discriminator_optimizer": optimizer,
        }.items():
            check_object("Experiment", field, getattr(self, field), methods, right)
        there = {*dir(type(self.data)), *vars(self.data)}
        if missing := [name for name in DATA_ATTRIBUTES.split() if name not in there]:
            raise RequestError(
                f"Experiment.data = {self.data!r}: has no {' and no '.join(missing)}; see "
                "gan_jax.data.dataset.Dataset for what data must have"
            )
        for field in ("penalties", "augmentations"):
            for position, value in enumerate(getattr(self, field)):
                check_object("Experiment", f"{field}[{position}]", value, "__call__")
        if sum(hasattr(value, "next_probability") for value in self.augmentations) > 1:
            raise RequestError("Experiment.augmentations: one of them may be adaptive, not several")
        if self.ema_schedule is not None:
            right = 'Schedule("cosine", 10_000, start=0.0, end=1.0), for example'
            check_schedule("Experiment", "ema_schedule", self.ema_schedule, right)
            if not self.ema_decay:
                raise RequestError(
                    f"Experiment.ema_schedule = {self.ema_schedule!r}: changes the half-life of "
                    "ema_decay, which is 0; give ema_decay=half_life(500_000, batch_size)"
                )
        if self.generator_batch == "fresh" and self.update_order != "alternating":
            raise RequestError(
                f"Experiment.generator_batch = 'fresh': needs update_order = 'alternating', not "
                f"{self.update_order!r}, in which both players share one forward pass"
            )
        if self.guard is not None:
            check_object(
                "Experiment", "guard", self.guard, "start rate checked", "guard.Guard() or None"
            )
        if self.features is not None:
            right = "features.mnist() or features.function(f), for example"
            check_object("Experiment", "features", self.features, "sha256 extract", right)
        counts = "steps epochs discriminator_steps log_every sample_every save_every evaluate_every"
        check_bounds(self, f"{counts} latent_size batch_size keep_checkpoints", at_least=1)
        check_bounds(self, "evaluate_samples", at_least=2)
        check_bounds(self, "ema_decay", at_least=0, below=1)
        check_bounds(self, "seed", at_least=0, below=2**32)
        check_bounds(self, "device_memory_fraction", at_least=0)
        if (self.steps is None) == (self.epochs is None):
            given = f"steps = {self.steps} and epochs = {self.epochs}"
            raise RequestError(f"Experiment: {given}: give one of the two")
        if self.best_metric not in CHOOSING:
            known = f"expected one of {', '.join(CHOOSING)}{nearest(self.best_metric, CHOOSING)}"
            raise RequestError(f"Experiment.best_metric = {self.best_metric!r}: {known}")

    @property
    def traced_hyperparameters(self) -> tuple[float, ...]:
        """What compiled steps take as arguments, see `gan_jax.common.traced_fields`."""
        return traced_fields.hyperparameters(self)

    @property
    def static(self) -> "Experiment":
        """What programs are compiled for: equal for all seeds and all traced hyper-parameters."""
        return traced_fields.without_hyperparameters(dataclasses.replace(self, seed=0))

    @property
    def batches_per_step(self) -> int:
        """Batches that a step takes: one for each discriminator update, and the generator's own."""
        return self.discriminator_steps + (self.generator_batch == "fresh")

    @property
    def examples_per_step(self) -> int:
        """Real examples that a step takes."""
        return self.batch_size * self.batches_per_step

    def total_steps(self) -> int:
        """Steps of the whole run; counts the data (which loads them) if given in epochs."""
        if self.steps is not None:
            return self.steps
        return math.ceil(self.epochs * self.data.count / self.examples_per_step)


def half_life(images: float, batch_size: int) -> float:
    """Returns the `ema_decay` with which a batch weighs half as much after so many real examples.

    Karras et al. (2020b) state it so, as it stays right for other batch sizes. It counts one batch
    in each step; where a step takes several, give their size in all.

    Raises:
        RequestError: one of the two is not above 0, or the decay would be 0 or 1.
    """
    if not (images > 0 and batch_size > 0):
        raise RequestError(f"half_life({images}, {batch_size}): must be above 0")
    decay = 0.5 ** (batch_size / images)
    if not 0 < decay < 1:
        wrong = f"half_life({images}, {batch_size}): gives a decay of {decay}"
        raise RequestError(f"{wrong}; it must be between 0 and 1")
    return decay
