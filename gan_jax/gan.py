"""The algorithm: the train state of two players, how it starts, and one update of it."""

import enum
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree, UInt32

from gan_jax import logit_averages
from gan_jax.common.nesting import nested
from gan_jax.experiment import Experiment

Batch = dict[str, Any]  # {"sample": [batch, ...], "condition": [batch, ...] or None}
Metrics = dict[str, Float[Array, ""]]
Verdict = Any  # of a discriminator: logits [batch], or an object that has them as its `logits`


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
        key: key(seed), from which every random draw is derived (another after a guard's return).
        generator: one player.
        discriminator: the other.
        ema: moving average of the generator's (params, variables); None where it is off.
        statistics: averages of what the discriminator says, see `gan_jax.logit_averages`.
        guard: what the experiment's guard remembers, see `gan_jax.guard`; None without one.
    """

    step: PyTree
    key: PyTree
    generator: Player
    discriminator: Player
    ema: PyTree
    statistics: logit_averages.Statistics
    guard: PyTree = None


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
    no_step = jnp.zeros((), jnp.int32)
    state = GANState(no_step, key, generator, discriminator, ema, logit_averages.start())
    return state.replace(guard=experiment.guard.start(state)) if experiment.guard else state


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
        each penalty; of the generator's pass its mean loss; the global norm of each gradient; with
        a guard the counts `skipped` and `rollbacks`.
    """
    before = state
    *early_batches, batch = _split(batch, experiment.discriminator_steps)
    for index, early_batch in enumerate(early_batches):
        passed = forward(experiment, state, early_batch, index)
        discriminator, _ = update_discriminator(experiment, state, passed)
        state = state.replace(discriminator=discriminator)

    passed = forward(experiment, state, batch, len(early_batches))
    discriminator, metrics = update_discriminator(experiment, state, passed)
    judged = passed.verdicts
    if experiment.update_order == "alternating":
        state = state.replace(discriminator=discriminator)
        passed = forward(experiment, state, batch, len(early_batches) + 1)
    generator, generator_metrics = update_generator(experiment, state, passed)

    new = state.replace(
        step=state.step + 1,
        generator=generator,
        discriminator=discriminator,
        ema=update_ema(experiment, state, generator),
        statistics=update_statistics(experiment, state, judged),
    )
    metrics |= generator_metrics
    if experiment.guard:
        new, metrics = experiment.guard.checked(before, new, metrics)
    return new, metrics


class ForwardPass(NamedTuple):
    """One forward pass of both networks, and the way back from verdicts to each player.

    Both gradients are functions of the cotangents of `verdicts`, those on real examples and on
    fakes: the networks run once, and each player pulls its own loss back through them.
    """

    verdicts: tuple[Verdict, Verdict]
    discriminator_gradient: Callable[[tuple[Verdict, Verdict]], PyTree]
    generator_gradient: Callable[[tuple[Verdict, Verdict]], PyTree]
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
        variables, dtype = state.generator.variables, experiment.compute_dtype
        return _train_apply(
            experiment.generator, params, variables, latent, condition, key(Stream.GENERATOR), dtype
        )

    def judge(params, variables, sample, stream, dtype):
        for position, augmentation in enumerate(experiment.augmentations, start=1):
            sample = augmentation(sample, jax.random.fold_in(key(stream), position), state)
        return _train_apply(
            experiment.discriminator, params, variables, sample, condition, key(stream), dtype
        )

    def judge_both(params, fake):
        variables, dtype = state.discriminator.variables, experiment.compute_dtype
        real_verdict, variables = judge(params, variables, real, Stream.REAL, dtype)
        fake_verdict, variables = judge(params, variables, fake, Stream.FAKE, dtype)
        return (real_verdict, fake_verdict), variables

    fake, generator_vjp, generator_variables = jax.vjp(
        generate, state.generator.params, has_aux=True
    )
    verdicts, discriminator_vjp, discriminator_variables = jax.vjp(
        judge_both, state.discriminator.params, fake, has_aux=True
    )

    def discriminator_gradient(cotangents):
        return discriminator_vjp(cotangents)[0]

    def generator_gradient(cotangents):
        return generator_vjp(discriminator_vjp(cotangents)[1])[0]

    def penalties(params):
        def logits_fn(sample):
            variables = state.discriminator.variables
            return logits_of(judge(params, variables, sample, Stream.REAL, "float32")[0])

        values = {}
        for position, penalty in enumerate(experiment.penalties):
            penalty_key = jax.random.fold_in(key(Stream.PENALTY), position)
            further = (state,) if getattr(penalty, "needs_state", False) else ()
            value = penalty(logits_fn, real, fake, penalty_key, *further)
            values[_penalty_name(position, penalty)] = value.mean()
        return values

    return ForwardPass(
        verdicts,
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
    loss, cotangents = _mean_loss(experiment.loss.discriminator, passed.verdicts)
    gradient = passed.discriminator_gradient(cotangents)
    real_logits, fake_logits = map(logits_of, passed.verdicts)
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
    optimizer, rate = experiment.discriminator_optimizer.build(), _rate(experiment, state)
    variables = passed.discriminator_variables
    return _descend(state.discriminator, optimizer, gradient, variables, rate), metrics


def update_generator(
    experiment: Experiment, state: GANState, passed: ForwardPass
) -> tuple[Player, Metrics]:
    """One optimizer step of the generator on its loss."""
    loss, cotangents = _mean_loss(experiment.loss.generator, passed.verdicts)
    gradient = passed.generator_gradient(cotangents)
    optimizer, rate = experiment.generator_optimizer.build(), _rate(experiment, state)
    player = _descend(state.generator, optimizer, gradient, passed.generator_variables, rate)
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


def update_statistics(
    experiment: Experiment, state: GANState, verdicts: tuple[Verdict, Verdict]
) -> logit_averages.Statistics:
    """Follows the logits of the discriminator's last pass, and adapts the augmentations to them."""
    moved = logit_averages.moved(state.statistics, state.step, *map(logits_of, verdicts))
    for augmentation in experiment.augmentations:
        if hasattr(augmentation, "next_probability"):
            probability = augmentation.next_probability(moved, experiment.examples_per_step)
            moved = moved._replace(augmentation=probability)
    return moved


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
    return logits_of(verdict(experiment, state, sample, condition))


def verdict(
    experiment: Experiment, state: GANState, sample: Float[Array, "batch ..."], condition: Any
) -> Verdict:
    """All that the discriminator returns for prepared samples in inference mode."""
    variables = {"params": state.discriminator.params, **state.discriminator.variables}
    return experiment.discriminator.apply(variables, sample, condition, training=False)


def logits_of(verdict: Verdict) -> Any:
    """The logits [batch] among what a discriminator returns."""
    return getattr(verdict, "logits", verdict)


def _train_apply(module, params, variables, inputs, condition, dropout_key, dtype):
    if dtype != "float32":
        params, inputs = _cast(params, dtype), _cast(inputs, dtype)
    applied = module.apply(
        {"params": params, **variables},
        inputs,
        condition,
        training=True,
        rngs={"dropout": dropout_key},
        mutable=list(variables),
    )
    # What comes out is float32, whatever is computed in between, and so are all variables.
    return applied if dtype == "float32" else _cast(applied, "float32")


def _cast(tree, dtype):
    return jax.tree.map(lambda array: array.astype(dtype), tree)


def _mean_loss(loss, verdicts):
    return jax.value_and_grad(lambda pair: loss(*pair).mean())(verdicts)


def _rate(experiment, state):
    return experiment.guard.rate(state.guard) if experiment.guard else None


def _descend(player, optimizer, gradient, variables, rate):
    updates, opt_state = optimizer.update(gradient, player.opt_state, player.params)
    if rate is not None:
        updates = jax.tree.map(lambda update: rate * update, updates)
    return Player(optax.apply_updates(player.params, updates), variables, opt_state)


def _split(batch, parts):
    return [jax.tree.map(lambda x, i=i: jnp.split(x, parts)[i], batch) for i in range(parts)]


def _penalty_name(position, penalty):
    changed = nested(penalty, "penalty")
    names = [getattr(each, "__name__", type(each).__name__).lower() for each in changed]
    return "_".join(["penalty", str(position), *names])
