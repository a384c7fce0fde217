"""The algorithm: the train state of two players, how it starts, and one update of it."""

import enum
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree, UInt32

from gan_jax.experiment import Experiment
from gan_jax.losses import Logits

Batch = dict[str, Any]  # {"sample": [batch, ...], "condition": [batch, ...] or None}
Metrics = dict[str, Float[Array, ""]]


@flax.struct.dataclass
class Player:
    """One player: parameters, other variables (BatchNorm's statistics), optimizer state."""

    params: PyTree
    variables: PyTree
    opt_state: PyTree


@flax.struct.dataclass
class GANState:
    """All that training changes, arrays only (or, in a template, their shapes).

    Attributes:
        step: updates done, int32 [].
        key: key(seed), from which every random draw is derived.
        generator: one player.
        discriminator: the other.
        ema: moving average of the generator's (params, variables); None where it is off.
    """

    step: PyTree
    key: PyTree
    generator: Player
    discriminator: Player
    ema: PyTree


class Stream(enum.IntEnum):
    """What a random key is for; every key is fold_in(fold_in(key(seed), step), stream).

    The streams of the n-th forward pass of a step are n * PASSES_APART further on.
    """

    GENERATOR_INIT = 0
    DISCRIMINATOR_INIT = 1
    SAMPLED_LATENT = 2
    LATENT = 3
    GENERATOR = 4
    REAL = 5
    FAKE = 6
    PENALTY = 7


PASSES_APART = 8


def stream_key(
    key: PRNGKeyArray, step: Int[Array, ""] | int, stream: Stream, pass_index: int = 0
) -> PRNGKeyArray:
    """Returns the random key of one use at one step."""
    return jax.random.fold_in(jax.random.fold_in(key, step), stream + PASSES_APART * pass_index)


def draw_latent(
    experiment: Experiment, key: PRNGKeyArray, count: int
) -> Float[Array, "count latent"]:
    """Draws latents from the experiment's distribution, the same whether or not JAX has float64."""
    shape = (count, experiment.latent_size)
    if experiment.latent_distribution == "uniform":
        return jax.random.uniform(key, shape, jnp.float32, minval=-1.0)
    return jax.random.normal(key, shape, jnp.float32)


def blank_inputs(experiment: Experiment, count: int) -> tuple[Array, Array, Array | None]:
    """Zeros of the shapes that the networks take: latents, samples, and conditions if any."""
    condition = jnp.zeros((count,), jnp.int32) if experiment.data.labels else None
    samples = jnp.zeros((count, *experiment.data.sample_shape))
    return jnp.zeros((count, experiment.latent_size)), samples, condition


def init(experiment: Experiment, seed: int | UInt32[Array, ""]) -> GANState:
    """Returns the state at step 0: both players' parameters drawn from `seed`."""
    key = jax.random.key(seed)
    latent, sample, condition = blank_inputs(experiment, 1)

    def init_player(module, optimizer, stream, *inputs):
        variables = module.init(stream_key(key, 0, stream), *inputs, training=False)
        params = variables.pop("params")
        return Player(params, variables, optimizer.build().init(params))

    generator = init_player(
        experiment.generator,
        experiment.generator_optimizer,
        Stream.GENERATOR_INIT,
        latent,
        condition,
    )
    discriminator = init_player(
        experiment.discriminator,
        experiment.discriminator_optimizer,
        Stream.DISCRIMINATOR_INIT,
        sample,
        condition,
    )
    ema = (generator.params, generator.variables) if experiment.ema_decay else None
    return GANState(jnp.zeros((), jnp.int32), key, generator, discriminator, ema)


def update(experiment: Experiment, state: GANState, batch: Batch) -> tuple[GANState, Metrics]:
    """One step of adversarial training, in the experiment's update order.

    "alternating" is algorithm 1 of Goodfellow et al. (2014); "simultaneous" takes both players'
    gradients at the same parameters, from one forward pass.

    Args:
        experiment: what the run is.
        state: the state at step t.
        batch: `discriminator_steps` times `batch_size` examples.

    Returns:
        The state at step t + 1, and metrics: of the discriminator's last pass its mean loss, its
        accuracy on real examples and on fakes (in [0, 1]), its mean logits on both and the mean of
        each penalty; of the generator's pass its mean loss; the global norm of each gradient.
    """
    *early_batches, batch = _split(batch, experiment.discriminator_steps)
    for index, early_batch in enumerate(early_batches):
        passed = forward(experiment, state, early_batch, index)
        discriminator, _ = update_discriminator(experiment, state, passed)
        state = state.replace(discriminator=discriminator)

    passed = forward(experiment, state, batch, len(early_batches))
    discriminator, metrics = update_discriminator(experiment, state, passed)
    if experiment.update_order == "alternating":
        state = state.replace(discriminator=discriminator)
        passed = forward(experiment, state, batch, len(early_batches) + 1)
    generator, generator_metrics = update_generator(experiment, state, passed)

    state = state.replace(
        step=state.step + 1,
        generator=generator,
        discriminator=discriminator,
        ema=update_ema(experiment, state, generator),
    )
    return state, metrics | generator_metrics


class ForwardPass(NamedTuple):
    """One forward pass of both networks, and the way back from logits to each player.

    Both gradients are functions of the cotangents of (real_logits, fake_logits): the networks run
    once, and each player pulls its own loss back through them.
    """

    logits: tuple[Logits, Logits]
    discriminator_gradient: Callable[[tuple[Logits, Logits]], PyTree]
    generator_gradient: Callable[[tuple[Logits, Logits]], PyTree]
    penalties: Callable[[PyTree], Metrics]
    generator_variables: PyTree
    discriminator_variables: PyTree


def forward(experiment: Experiment, state: GANState, batch: Batch, pass_index: int) -> ForwardPass:
    """Draws latents, generates fakes, and has the discriminator judge real and fake.

    Args:
        experiment: what the run is.
        state: both players.
        batch: `batch_size` examples.
        pass_index: which pass of this step it is; each has random streams of its own.
    """
    real, condition = batch["sample"], batch["condition"]

    def key(stream):
        return stream_key(state.key, state.step, stream, pass_index)

    latent = draw_latent(experiment, key(Stream.LATENT), experiment.batch_size)

    def generate(params):
        variables = state.generator.variables
        return _train_apply(
            experiment.generator, params, variables, latent, condition, key(Stream.GENERATOR)
        )

    def judge(params, variables, sample, stream):
        return _train_apply(
            experiment.discriminator, params, variables, sample, condition, key(stream)
        )

    def judge_both(params, fake):
        variables = state.discriminator.variables
        real_logits, variables = judge(params, variables, real, Stream.REAL)
        fake_logits, variables = judge(params, variables, fake, Stream.FAKE)
        return (real_logits, fake_logits), variables

    fake, generator_vjp, generator_variables = jax.vjp(
        generate, state.generator.params, has_aux=True
    )
    logits, discriminator_vjp, discriminator_variables = jax.vjp(
        judge_both, state.discriminator.params, fake, has_aux=True
    )

    def discriminator_gradient(cotangents):
        return discriminator_vjp(cotangents)[0]

    def generator_gradient(cotangents):
        return generator_vjp(discriminator_vjp(cotangents)[1])[0]

    def penalties(params):
        def logits_fn(sample):
            return judge(params, state.discriminator.variables, sample, Stream.REAL)[0]

        return {
            _penalty_name(position, penalty): penalty(
                logits_fn, real, fake, jax.random.fold_in(key(Stream.PENALTY), position)
            ).mean()
            for position, penalty in enumerate(experiment.penalties)
        }

    return ForwardPass(
        logits,
        discriminator_gradient,
        generator_gradient,
        penalties,
        generator_variables,
        discriminator_variables,
    )


def update_discriminator(
    experiment: Experiment, state: GANState, passed: ForwardPass
) -> tuple[Player, Metrics]:
    """One optimizer step of the discriminator on its loss and penalties."""
    loss, cotangents = _mean_loss(experiment.loss.discriminator, passed.logits)
    gradient = passed.discriminator_gradient(cotangents)
    real_logits, fake_logits = passed.logits
    metrics = {
        "discriminator_loss": loss,
        "accuracy_real": jnp.mean(real_logits > 0, dtype=loss.dtype),
        "accuracy_fake": jnp.mean(fake_logits < 0, dtype=loss.dtype),
        "logit_real": real_logits.mean(),
        "logit_fake": fake_logits.mean(),
    }
    if experiment.penalties:

        def total_penalty(params):
            penalties = passed.penalties(params)
            return sum(penalties.values()), penalties

        penalty_gradient, penalties = jax.grad(total_penalty, has_aux=True)(
            state.discriminator.params
        )
        gradient = jax.tree.map(jnp.add, gradient, penalty_gradient)
        metrics |= penalties
    metrics["gradient_norm_discriminator"] = optax.tree.norm(gradient)
    optimizer = experiment.discriminator_optimizer.build()
    player = _descend(state.discriminator, optimizer, gradient, passed.discriminator_variables)
    return player, metrics


def update_generator(
    experiment: Experiment, state: GANState, passed: ForwardPass
) -> tuple[Player, Metrics]:
    """One optimizer step of the generator on its loss."""
    loss, cotangents = _mean_loss(experiment.loss.generator, passed.logits)
    gradient = passed.generator_gradient(cotangents)
    optimizer = experiment.generator_optimizer.build()
    player = _descend(state.generator, optimizer, gradient, passed.generator_variables)
    norm = optax.tree.norm(gradient)
    return player, {"generator_loss": loss, "gradient_norm_generator": norm}


def update_ema(experiment: Experiment, state: GANState, generator: Player) -> PyTree:
    """Moves the average of the generator's parameters and variables towards `generator`.

    The decay grows from 0.1 as (1 + step) / (10 + step) until it reaches `ema_decay`, so that the
    random initial parameters do not linger in the average.
    """
    if state.ema is None:
        return None
    decay = jnp.minimum(experiment.ema_decay, (1 + state.step) / (10 + state.step))
    newest = (generator.params, generator.variables)

    def moved(new, old):
        return (old + (1 - decay) * (new - old)).astype(old.dtype)

    return jax.tree.map(moved, newest, state.ema)


def generate(
    experiment: Experiment,
    state: GANState,
    latent: Float[Array, "batch latent"],
    condition: Any = None,
    raw: bool = False,
) -> Float[Array, "batch ..."]:
    """Samples in inference mode, from the averaged generator where there is one.

    Args:
        experiment: what the run is.
        state: a trained state.
        latent: one latent for each sample.
        condition: what the generator is conditioned on, if anything.
        raw: take the generator's own parameters, not their average.
    """
    params, variables = state.generator.params, state.generator.variables
    if state.ema is not None and not raw:
        params, variables = state.ema
    return experiment.generator.apply(
        {"params": params, **variables}, latent, condition, training=False
    )


def discriminate(
    experiment: Experiment,
    state: GANState,
    sample: Float[Array, "batch ..."],
    condition: Any = None,
) -> Float[Array, "batch ..."]:
    """Logits [batch] of prepared samples in inference mode; P(real) is their sigmoid."""
    variables = {"params": state.discriminator.params, **state.discriminator.variables}
    return experiment.discriminator.apply(variables, sample, condition, training=False)


def _train_apply(module, params, variables, inputs, condition, dropout_key):
    return module.apply(
        {"params": params, **variables},
        inputs,
        condition,
        training=True,
        rngs={"dropout": dropout_key},
        mutable=list(variables),
    )


def _mean_loss(loss, logits):
    return jax.value_and_grad(lambda pair: loss(*pair).mean())(logits)


def _descend(player, optimizer, gradient, variables):
    updates, opt_state = optimizer.update(gradient, player.opt_state, player.params)
    return Player(optax.apply_updates(player.params, updates), variables, opt_state)


def _split(batch, parts):
    return [jax.tree.map(lambda x, i=i: jnp.split(x, parts)[i], batch) for i in range(parts)]


def _penalty_name(position, penalty):
    name = getattr(penalty, "__name__", type(penalty).__name__).lower()
    return f"penalty_{position}_{name}"
