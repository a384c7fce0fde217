"""The training loop: compiled steps, and hooks that act between them."""

import dataclasses
import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32, PyTree

from gan_jax import gan
from gan_jax.common.traced_fields import with_hyperparameters
from gan_jax.experiment import Experiment
from gan_jax.runs import checkpoints
from gan_jax.runtime import devices, hosts
from gan_jax.sampling import sheets
from gan_jax.training.batches import make_batches
from gan_jax.training.hooks import Hook, Moment, make_hooks
from gan_jax.training.outcome import Outcome
from gan_jax.training.pacing import Clock
from gan_jax.training.parallel_seeds import Plan
from gan_jax.training.preflight import update_shapes
from gan_jax.training.session import ActiveRuns, Session


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def run_steps(
    experiment: Experiment,
    plan: Plan,
    states: gan.GANState,
    hyperparameters: Float[Array, "seeds hyperparameters"],
    stored: PyTree,
    batches: PyTree,
    count: Int32[Array, ""],
) -> tuple[gan.GANState, gan.Metrics]:
    """Runs `count` updates of each seed in one program.

    The number of steps is an argument of the program rather than a part of it: one compilation
    serves every count, and the results cannot depend on how steps are grouped into calls.

    Args:
        experiment: the static configuration that the runs share, see `Experiment.static`.
        plan: how the seeds share the devices.
        states: of each seed [seeds, ...]; donated.
        hyperparameters: of each seed, see `Experiment.traced_hyperparameters`.
        stored: examples; None where the batches hold the examples themselves.
        batches: positions in `stored` of the batch of each seed and step, or the examples
            themselves, [seeds, steps, batch, ...]; steps beyond `count` are ignored.
        count: between 1 and the number of steps in `batches`.

    Returns:
        The states, and the metrics [seeds] of the last step.
    """

    def run_seed(state, own, stored, count):
        batches, hyperparameters = own
        resolved = with_hyperparameters(experiment, hyperparameters)

        def step(i, carry):
            state, _ = carry
            batch = plan.split_batch(jax.tree.map(lambda of_steps: of_steps[i], batches))
            if stored is not None:
                batch = jax.tree.map(lambda examples: examples[batch], stored)
            batch = experiment.data.prepare(batch)
            return plan.everywhere(gan.update(resolved, state, batch))

        _, shapes = update_shapes(experiment)
        no_metrics = jax.tree.map(jnp.zeros_like, shapes)
        return jax.lax.fori_loop(0, count, step, (state, no_metrics))

    return plan.run(run_seed, states, (batches, hyperparameters), stored, count)


def run_loop(
    session: Session, states: gan.GANState, step: int, added: Sequence[Hook] = ()
) -> Outcome:
    """Trains runs from `step` to the last step, or until a signal, and saves either way.

    Nothing more is written for a run that diverges: its checkpoints stay, and the others go on.

    Args:
        session: what is trained.
        states: of all seeds [seeds, ...]; donated.
        step: that they are at, below the last one.
        added: hooks of the user, see `make_hooks`.

    Raises:
        DivergedError: every run has diverged.
    """
    experiment, plan, last_step = session.experiment, session.plan, session.last_step
    seeds = plan.padded([run.experiment.seed for run in session.runs])
    hyperparameters = plan.hyperparameters([run.experiment for run in session.runs])
    batches = make_batches(experiment, seeds, plan.mesh, step, last_step)
    hooks = make_hooks(session, states, added)
    runs = ActiveRuns(session)
    _save_start(runs, states)
    clock = Clock()
    unreported = None  # the moment after the newest call, whose metrics may still be computed
    stopping = False
    while step < last_step and not stopping:
        due = steps_until_due(hooks, step, last_step)
        count = hosts.least(clock.next_count(due, batches.limit))
        taken = batches.next(step, count)
        states, metrics = run_steps(experiment, plan, states, hyperparameters, *taken, count)
        step += count
        # Only now, with the next call under way, are the metrics of the call before fetched, so
        # that the device never waits for the host.
        if unreported:
            _act(hooks, unreported, clock)
        stopping = hosts.any_of(session.stopping())
        unreported = Moment(step, count, runs, metrics, step == last_step, stopping)
        if any(map(unreported.needs_states, hooks)):
            _act(hooks, unreported, clock, states)
            unreported = None
            clock.restart()
    if step == last_step:
        return Outcome.FINISHED
    runs.say(f"stopped at step {step} and saved; run the same command to go on", *runs)
    return Outcome.STOPPED


def steps_until_due(hooks: Sequence[Hook], step: int, last_step: int) -> int:
    """Returns how many steps one call may hold so that no hook is due before its end."""
    intervals = {every for hook in hooks for every in hook.every}
    return min(last_step - step, *(every - step % every for every in intervals))


def _act(
    hooks: Sequence[Hook], moment: Moment, clock: Clock, states: gan.GANState | None = None
) -> None:
    """Lets the hooks that are due act; the host's copy of the states is freed when it returns."""
    copy = None if states is None else devices.to_host(states)
    metrics = jax.device_get(moment.metrics)
    clock.tick(moment.count)
    moment = dataclasses.replace(
        moment, metrics=metrics, states=copy, steps_per_second=clock.steps_per_second
    )
    for hook in hooks:
        if moment.is_due(hook):
            hook.act(moment)


def _save_start(runs: ActiveRuns, states: gan.GANState) -> None:
    """Saves the state before the first step, of runs that have no checkpoint yet."""
    new = [run for run in runs if not checkpoints.steps(run.checkpointer.directory)]
    copy = devices.to_host(states) if new else None
    for run in new:
        state = run.select(copy)
        sheets.save_step(run.experiment, devices.own_copy(state), run.directory, 0)
        run.checkpointer.save(0, state)
        run.checkpointer.wait()  # so that there is never a line of metrics without a checkpoint
