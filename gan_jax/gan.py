"""The algorithm: the train state of both players, its initialisation, and one update."""

import enum
import functools
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

# {"sample": [batch, ...], "condition": [batch, ...] or None}, and with a loss that needs them
# "label": int32 [batch], negative where it is not known
Batch = dict[str, Any]
Metrics = dict[str, Float[Array, ""]]
DiscriminatorOutput = Any  # logits [batch], or an object that has them as its attribute `logits`
Index = Int[Array, ""] | int


@flax.struct.dataclass
class Player:
    """A network in training: parameters, other variables (BatchNorm's statistics), optimizer."""

    params: PyTree
    variables: PyTree
    opt_state: PyTree


@flax.struct.dataclass
class GANState:
    """All that training changes: arrays only (or, in a template, their shapes).

    Attributes:
        step: updates done, int32 [].
        key: key(seed), from which every random draw is derived; a guard that goes back replaces it.
        generator: the generator.
        discriminator: the discriminator.
        ema: moving average of the generator's (params, variables); None where it is off.
        statistics: moving averages of the discriminator's logits, see `gan_jax.logit_averages`.
        guard: state of the experiment's guard, see `gan_jax.guard`; None without one.
    """

    step: PyTree
    key: PyTree
    generator: Player
    discriminator: Player
    ema: PyTree
    statistics: logit_averages.Statistics
    guard: PyTree = None


class Stream(enum.IntEnum):
    """The use of a random key; every key is fold_in(fold_in(key(seed), step), stream).

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
    key: PRNGKeyArray, step: Index, stream: Stream, pass_index: Index = 0
) -> PRNGKeyArray:
    """Returns the random key of a stream in one forward pass of a step."""
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

    def init_player(module, optimizer, stream, inputs):
        variables = module.init(stream_key(key, 0, stream), inputs, condition, training=False)
        params = variables.pop("params")
        return Player(params, variables, optimizer.build().init(params))

    e = experiment
    generator = init_player(e.generator, e.generator_optimizer, Stream.GENERATOR_INIT, latent)
    discriminator = init_player(
        e.discriminator, e.discriminator_optimizer, Stream.DISCRIMINATOR_INIT, sample
    )
    ema = (generator.params, generator.variables) if experiment.ema_decay else None
    no_step = jnp.zeros((), jnp.int32)
    state = GANState(no_step, key, generator, discriminator, ema, logit_averages.start())
    return state.replace(guard=experiment.guard.start(state)) if experiment.guard else state


def update(experiment: Experiment, state: GANState, batch: Batch) -> tuple[GANState, Metrics]:
    """One step of adversarial training: algorithm 1 of Goodfellow et al. (2014).

    The discriminator takes `discriminator_steps` steps, and the generator one. In the "alternating"
    order the generator's comes last, against the new discriminator and with fresh latents. In the
    "simultaneous" order it shares the forward pass of the discriminator's last step, so that both
    gradients are taken at the same parameters.

    Args:
        experiment: the configuration.
        state: the state at step t.
        batch: `batches_per_step * batch_size` examples; each step of the discriminator takes the
            next `batch_size`, and so does that of the generator if it has a fresh batch.

    Returns:
        The state at step t + 1, and scalar metrics. Of the discriminator's last step: its mean
        loss, its accuracy on real examples and on fakes (in [0, 1]), the mean logits of both, and
        the mean of each penalty. Of the generator's step: its mean loss. Of both: the global norm
        of the gradient. With a guard: the counts `skipped` and `rollbacks`.
    """
    before, steps = state, experiment.discriminator_steps
    # Split, not reshaped: reshaping a batch that is sharded over devices would gather it on each.
    batches = jax.tree.map(lambda x: jnp.stack(jnp.split(x, experiment.batches_per_step)), batch)
    early_batches = jax.tree.map(lambda x: x[: steps - 1], batches)
    batch = jax.tree.map(lambda x: x[steps - 1], batches)

    def early_step(state, index_and_batch):
        index, batch = index_and_batch
        forward = forward_pass(experiment, state, batch, index)
        discriminator, _ = update_discriminator(experiment, state, batch, index, forward)
        return state.replace(discriminator=discriminator), None

    if steps > 1:  # all but the last, in a loop, so that they are compiled once
        state, _ = jax.lax.scan(early_step, state, (jnp.arange(steps - 1), early_batches))

    forward = forward_pass(experiment, state, batch, steps - 1)
    discriminator, metrics = update_discriminator(experiment, state, batch, steps - 1, forward)
    outputs, last_batch = forward.outputs, batch
    if experiment.update_order == "alternating":
        state = state.replace(discriminator=discriminator)
        last_batch = jax.tree.map(lambda x: x[-1], batches)  # the generator's own, if it is fresh
        forward = forward_pass(experiment, state, last_batch, steps)
    generator, generator_metrics = update_generator(experiment, state, last_batch, forward)

    state = state.replace(generator=generator, discriminator=discriminator)
    new = state.replace(
        step=state.step + 1,
        ema=update_ema(experiment, state),
        statistics=update_statistics(experiment, state, outputs),
    )
    metrics |= generator_metrics
    return experiment.guard.checked(before, new, metrics) if experiment.guard else (new, metrics)


class ForwardPass(NamedTuple):
    """The results of one forward pass of both networks.

    Each player pulls back its own loss, so that one pass serves both.

    Attributes:
        outputs: of the discriminator, on real examples and on fakes.
        discriminator_gradient: from cotangents of `outputs` to the gradient with respect to the
            discriminator's parameters.
        generator_gradient: likewise for the generator's.
        fake: the generated samples.
        variables: the generator's and the discriminator's other variables after the pass.
    """

    outputs: tuple[DiscriminatorOutput, DiscriminatorOutput]
    discriminator_gradient: Callable[[Any], PyTree]
    generator_gradient: Callable[[Any], PyTree]
    fake: Float[Array, "batch ..."]
    variables: tuple[PyTree, PyTree]


def forward_pass(
    experiment: Experiment, state: GANState, batch: Batch, pass_index: Index
) -> ForwardPass:
    """Generates fakes from fresh latents, and applies the discriminator to real and fake samples.

    Args:
        experiment: the configuration.
        state: both players.
        batch: `batch_size` examples.
        pass_index: position of the pass within the step; each pass has its own random streams.
    """
    condition, dtype = batch["condition"], experiment.compute_dtype
    key = functools.partial(stream_key, state.key, state.step, pass_index=pass_index)
    latent = draw_latent(experiment, key(Stream.LATENT), experiment.batch_size)

    def generate(params):
        generator = state.generator.replace(params=params)
        fake, generator = _apply(
            experiment.generator, generator, latent, condition, key(Stream.GENERATOR), dtype
        )
        return fake, generator.variables

    def discriminate_both(params, fake):
        outputs, discriminator = [], state.discriminator.replace(params=params)
        for sample, stream in ((batch["sample"], Stream.REAL), (fake, Stream.FAKE)):
            output, discriminator = _apply_discriminator(
                experiment, state, discriminator, sample, condition, key(stream), dtype
            )
            outputs.append(output)
        return tuple(outputs), discriminator.variables

    fake, generator_vjp, generator_variables = jax.vjp(
        generate, state.generator.params, has_aux=True
    )
    outputs, discriminator_vjp, discriminator_variables = jax.vjp(
        discriminate_both, state.discriminator.params, fake, has_aux=True
    )
    return ForwardPass(
        outputs,
        discriminator_gradient=lambda cotangents: discriminator_vjp(cotangents)[0],
        generator_gradient=lambda cotangents: generator_vjp(discriminator_vjp(cotangents)[1])[0],
        fake=fake,
        variables=(generator_variables, discriminator_variables),
    )


def update_discriminator(
    experiment: Experiment, state: GANState, batch: Batch, pass_index: Index, forward: ForwardPass
) -> tuple[Player, Metrics]:
    """Takes one optimizer step of the discriminator on the sum of its mean loss and penalties."""
    labels = _targets(experiment, batch)
    loss, cotangents = _mean_loss(experiment.loss.discriminator, forward.outputs, *labels)
    gradient = forward.discriminator_gradient(cotangents)
    real_logits, fake_logits = map(logits_of, forward.outputs)
    metrics = {
        "discriminator_loss": loss,
        "accuracy_real": jnp.mean(real_logits > 0, dtype=loss.dtype),
        "accuracy_fake": jnp.mean(fake_logits < 0, dtype=loss.dtype),
        "logit_real": real_logits.mean(),
        "logit_fake": fake_logits.mean(),
    }
    if experiment.penalties:
        penalty_gradient, means = jax.grad(mean_penalties, has_aux=True)(
            state.discriminator.params, experiment, state, batch, pass_index, forward.fake
        )
        gradient = jax.tree.map(jnp.add, gradient, penalty_gradient)
        metrics |= means
    metrics["gradient_norm_discriminator"] = optax.tree.norm(gradient)
    new = state.discriminator.replace(variables=forward.variables[1])
    return _descend(experiment, state, new, experiment.discriminator_optimizer, gradient), metrics


def update_generator(
    experiment: Experiment, state: GANState, batch: Batch, forward: ForwardPass
) -> tuple[Player, Metrics]:
    """Takes one optimizer step of the generator on its mean loss."""
    labels = _targets(experiment, batch)
    loss, cotangents = _mean_loss(experiment.loss.generator, forward.outputs, *labels)
    gradient = forward.generator_gradient(cotangents)
    metrics = {"generator_loss": loss, "gradient_norm_generator": optax.tree.norm(gradient)}
    new = state.generator.replace(variables=forward.variables[0])
    return _descend(experiment, state, new, experiment.generator_optimizer, gradient), metrics


def mean_penalties(
    params: PyTree,
    experiment: Experiment,
    state: GANState,
    batch: Batch,
    pass_index: Index,
    fake: Float[Array, "batch ..."],
) -> tuple[Float[Array, ""], Metrics]:
    """The sum of the penalties' means, and each, at the discriminator's parameters, in float32."""
    key = functools.partial(stream_key, state.key, state.step, pass_index=pass_index)
    discriminator = state.discriminator.replace(params=params)

    def logits_fn(sample):
        arguments = discriminator, sample, batch["condition"], key(Stream.REAL), "float32"
        return logits_of(_apply_discriminator(experiment, state, *arguments)[0])

    means = {}
    for position, penalty in enumerate(experiment.penalties):
        own_key = jax.random.fold_in(key(Stream.PENALTY), position)
        more = (state,) if getattr(penalty, "needs_state", False) else ()
        value = penalty(logits_fn, batch["sample"], fake, own_key, *more)
        means[_penalty_name(position, penalty)] = value.mean()
    return sum(means.values()), means


def update_ema(experiment: Experiment, state: GANState) -> PyTree:
    """Moves the average of the generator's parameters and variables towards the newest."""
    if state.ema is None:
        return None
    if experiment.ema_schedule:
        factor = jnp.asarray(experiment.ema_schedule.build()(state.step))
        decay = experiment.ema_decay ** (1 / factor)  # twice the half-life: the decay's square root
    else:
        decay = logit_averages.warmed_up(experiment.ema_decay, state.step)
    newest = (state.generator.params, state.generator.variables)

    def moved(new, old):
        return (old + (1 - decay) * (new - old)).astype(old.dtype)

    return jax.tree.map(moved, newest, state.ema)


def update_statistics(
    experiment: Experiment,
    state: GANState,
    outputs: tuple[DiscriminatorOutput, DiscriminatorOutput],
) -> logit_averages.Statistics:
    """Averages the discriminator's outputs on real examples and fakes; adapts augmentations."""
    moved = logit_averages.moved(state.statistics, state.step, *map(logits_of, outputs))
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
        experiment: the configuration.
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
    return logits_of(discriminator_output(experiment, state, sample, condition))


def discriminator_output(
    experiment: Experiment, state: GANState, sample: Float[Array, "batch ..."], condition: Any
) -> DiscriminatorOutput:
    """The discriminator's whole output for prepared samples in inference mode."""
    variables = {"params": state.discriminator.params, **state.discriminator.variables}
    return experiment.discriminator.apply(variables, sample, condition, training=False)


def logits_of(output: DiscriminatorOutput) -> Any:
    """The logits [batch] of a discriminator's output."""
    return getattr(output, "logits", output)


def _apply_discriminator(experiment, state, discriminator, sample, condition, key, dtype):
    for position, augmentation in enumerate(experiment.augmentations, start=1):
        sample = augmentation(sample, jax.random.fold_in(key, position), state)
    return _apply(experiment.discriminator, discriminator, sample, condition, key, dtype)


def _apply(module, player, inputs, condition, dropout_key, dtype):
    """Applies a network in training mode; returns its output, and the player with new variables."""
    params = player.params
    if dtype != "float32":
        params, inputs = _cast(params, dtype), _cast(inputs, dtype)
    applied = module.apply(
        {"params": params, **player.variables},
        inputs,
        condition,
        training=True,
        rngs={"dropout": dropout_key},
        mutable=list(player.variables),
    )
    # Outputs and variables are float32, whichever type the network computes in.
    output, variables = applied if dtype == "float32" else _cast(applied, "float32")
    return output, player.replace(variables=variables)


def _cast(tree, dtype):
    return jax.tree.map(lambda array: array.astype(dtype), tree)


def _targets(experiment, batch):
    """The labels of a batch for a loss that needs them, as further arguments."""
    return (batch["label"],) if getattr(experiment.loss, "needs_labels", False) else ()


def _mean_loss(loss, outputs, *labels):
    """The mean of a loss, and its gradient with respect to the discriminator's outputs."""
    return jax.value_and_grad(lambda outputs: loss(*outputs, *labels).mean())(outputs)


def _descend(experiment, state, player, optimizer, gradient):
    updates, opt_state = optimizer.build().update(gradient, player.opt_state, player.params)
    if experiment.guard:
        rate = experiment.guard.rate(state.guard)
        updates = jax.tree.map(lambda update: rate * update, updates)
    return player.replace(params=optax.apply_updates(player.params, updates), opt_state=opt_state)


def _penalty_name(position, penalty):
    changed = nested(penalty, "penalty")
    names = [getattr(each, "__name__", type(each).__name__).lower() for each in changed]
    return "_".join(["penalty", str(position), *names])
