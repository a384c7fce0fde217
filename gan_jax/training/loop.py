"""The training loop: compiled steps, and what is written between them."""

import dataclasses
import enum
import functools
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32, PyTree

from gan_jax import gan, runs
from gan_jax.common.errors import RequestError
from gan_jax.common.files import write_atomically
from gan_jax.common.traced_fields import with_hyperparameters
from gan_jax.evaluation.during_training import LightEvaluation, keep_best, last_scores
from gan_jax.experiment import Experiment
from gan_jax.runs import checkpoints
from gan_jax.runtime import devices, hosts
from gan_jax.sampling import sheets
from gan_jax.training import batches as feed
from gan_jax.training.diagnostics import Diagnostics
from gan_jax.training.logs import Display, RunLog
from gan_jax.training.pacing import Clock
from gan_jax.training.parallel_seeds import Plan


class Outcome(enum.Enum):
    """How `train` ended."""

    FINISHED = enum.auto()
    STOPPED = enum.auto()  # by a signal, after saving


class DivergedError(Exception):
    """The losses or the parameters are no finite numbers any more."""


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

    The number of steps is an argument of the program, no part of it: one compilation serves every
    count, and the results cannot depend on how the steps are grouped into calls.

    Args:
        experiment: the static configuration that the runs share, see `Experiment.static`.
        plan: how the seeds share the devices.
        states: of each seed, with an axis in front; is donated.
        hyperparameters: of each seed, see `Experiment.traced_hyperparameters`.
        stored: examples; None where the batches hold theirs.
        batches: which of the stored examples form the batch of each seed and step, or the examples
            themselves [seeds, steps, batch, ...]; steps beyond `count` are ignored.
        count: between 1 and the number of rows.

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

        _, shapes = jax.eval_shape(lambda: step(0, (state, None)))
        no_metrics = jax.tree.map(jnp.zeros_like, shapes)
        return jax.lax.fori_loop(0, count, step, (state, no_metrics))

    return plan.run(run_seed, states, (batches, hyperparameters), stored, count)


@dataclasses.dataclass(frozen=True)
class Member:
    """One seed of those that train together: its run, and what writes there."""

    experiment: Experiment
    directory: runs.RunDirectory
    log: RunLog
    saver: checkpoints.Checkpointer
    diagnostics: Diagnostics
    light_evaluation: LightEvaluation | None


@dataclasses.dataclass(frozen=True)
class Running:
    """What stays the same while the loop runs.

    Attributes:
        plan: how the seeds share the devices.
        members: the seeds.
        display: the terminal.
        stopping: says whether a signal has asked to stop.
        last_step: of the run.
        started: when this process began to train them, by the monotonic clock.
        several: the user asked for several seeds, of which one that diverges is marked and left
            alone from then on.
    """

    plan: Plan
    members: tuple[Member, ...]
    display: Display
    stopping: Callable[[], bool]
    last_step: int
    started: float
    several: bool

    @property
    def experiment(self) -> Experiment:
        """What all seeds have in common."""
        return self.members[0].experiment.static

    def say(self, message: str, *members: Member) -> None:
        """Tells the user, and writes it to the logs of the seeds that it is about."""
        self.display.say(message)
        for member in members:
            member.log.message(message)

    def is_due(self, every: int | None, step: int) -> bool:
        """Whether something that happens at intervals happens at this step; the last one counts."""
        return every is not None and (step % every == 0 or step == self.last_step)

    def steps_until_due(self, step: int) -> int:
        """How many steps one call may hold so that nothing that is due lies within it."""
        e = self.experiment
        intervals = (e.log_every, e.sample_every, e.save_every, e.evaluate_every)
        return min(self.last_step - step, *(every - step % every for every in intervals if every))


def run_loop(running: Running, states: gan.GANState, step: int) -> Outcome:
    """Trains all seeds from `step` to the last step, or until a signal, and saves either way.

    A seed whose loss or parameters are NaN or infinite is written no more: its checkpoints stay as
    they are, and the others go on.

    Raises:
        DivergedError: that has happened to all of them.
    """
    experiment, last_step = running.experiment, running.last_step
    seeds = running.plan.padded([member.experiment.seed for member in running.members])
    hyperparameters = running.plan.hyperparameters(
        [member.experiment for member in running.members]
    )
    source = feed.make_feed(experiment, seeds, running.plan.mesh, step, last_step)
    alive = _Alive(running, states)
    _save_start(alive, states)
    clock = Clock()
    waiting = None  # metrics that may still be computed
    stopped = False
    while step < last_step and not stopped:
        count = hosts.least(clock.next_count(running.steps_until_due(step), source.limit))
        fed = source.next(step, count)
        states, metrics = run_steps(experiment, running.plan, states, hyperparameters, *fed, count)
        step += count
        # Only now, with the next call under way, are the metrics of the call before fetched, so
        # that the device never waits for the host.
        if waiting:
            _report(running, alive, clock, *waiting)
        waiting = (step, count, metrics)
        sampling = running.is_due(experiment.sample_every, step)
        evaluating = running.is_due(experiment.evaluate_every, step)
        stopped = hosts.any_of(running.stopping())
        # What is evaluated is saved, so that there is a checkpoint to keep if it is the best.
        saving = stopped or evaluating or running.is_due(experiment.save_every, step)
        if sampling or saving:
            _write(running, alive, clock, states, waiting, sampling, evaluating, saving)
            waiting = None
            clock.restart()
    if step < last_step:
        message = f"stopped at step {step} and saved; run the same command to go on"
        running.say(message, *(member for _, member in alive))
        return Outcome.STOPPED
    for index, member in alive:
        if states.guard is not None and (skipped := int(states.guard.skipped[index])):
            running.say(f"the guard skipped {skipped:,} of {last_step:,} steps", member)
        running.say(_last_words(member, brief=running.several), member)
    return Outcome.FINISHED


class _Alive:
    """Which seeds have not diverged; iterates over their positions and members."""

    def __init__(self, running: Running, states: gan.GANState):
        self._running = running
        self._members = dict(enumerate(running.members))
        # Of the guard, as last reported.
        counts = [] if states.guard is None else jax.device_get(states.guard.returns).tolist()
        self._returns: dict[int, float] = dict(enumerate(counts))

    def __iter__(self) -> Iterator[tuple[int, Member]]:
        return iter(list(self._members.items()))

    def count_returns(self, position: int, step: int, metrics: dict[str, float]) -> None:
        """Tells of a seed whose guard has gone back since the last report."""
        returns = metrics.get("returns", 0)
        if returns > self._returns.get(position, 0):
            guard = self._running.experiment.guard
            message = (
                f"by step {step} the guard has gone back {returns:g} times, each time after "
                f"{guard.after} steps in a row that were not finite; learning rates are now "
                f"times {guard.learning_rate**returns:g}"
            )
            self._running.say(message, self._members[position])
        self._returns[position] = returns

    def end(self, positions: Sequence[int], step: int, reason: str) -> None:
        """Takes seeds out.

        Raises:
            DivergedError: none is left.
        """
        for position in positions:
            member = self._members.pop(position)
            message = _diverged(member.directory, step, reason)
            if self._running.several:
                message = f"{member.directory.path} {message}"
                note = {"step": step, "reason": reason}
                write_atomically(member.directory.divergence, json.dumps(note).encode() + b"\n")
            if not self._members:
                raise DivergedError(message)
            self._running.say(f"{message}; the others go on", member)


def _save_start(alive: _Alive, states: gan.GANState) -> None:
    """Saves the state before the first step, of seeds that have no checkpoint yet."""
    new = [(i, member) for i, member in alive if not checkpoints.steps(member.saver.directory)]
    copy = devices.to_host(states) if new else None
    for index, member in new:
        state = _of_one(copy, index)
        sheets.save_step(member.experiment, devices.own_copy(state), member.directory, 0)
        member.saver.save(0, state)
        member.saver.wait()  # so that there is never a line of metrics without a checkpoint


def _write(
    running: Running,
    alive: _Alive,
    clock: Clock,
    states: gan.GANState,
    waiting: tuple[int, int, gan.Metrics],
    sampling: bool,
    evaluating: bool,
    saving: bool,
) -> None:
    """Writes what is due at a step; its copies of the states are freed when it returns."""
    step = waiting[0]
    copy = devices.to_host(states)
    # A checkpoint never runs ahead of the metrics, pictures and scores of its step.
    _report(running, alive, clock, *waiting, copy if sampling else None)
    if saving:
        diverged = [index for index, _ in alive if not _is_finite(_of_one(copy, index))]
        alive.end(diverged, step, "not all parameters are finite")
    for index, member in alive:
        state = _of_one(copy, index)
        on_device = devices.own_copy(state)
        if sampling:
            sheets.save_step(member.experiment, on_device, member.directory, step)
        if evaluating:
            _evaluate(running, member, on_device, step)
        if saving:
            member.saver.save(step, state)
            spent = time.monotonic() - running.started
            member.log.seconds(step, spent / len(running.members))
    for _, member in alive:
        if evaluating:
            member.saver.wait()
            keep_best(member.directory, member.experiment)
        if step == running.last_step:
            sheets.save_final(member.experiment, member.directory, running.display.say)


def _report(
    running: Running,
    alive: _Alive,
    clock: Clock,
    step: int,
    count: int,
    metrics: gan.Metrics,
    states: gan.GANState | None = None,
) -> None:
    """Checks and reports the metrics of a step; a line has diagnostics where there are states."""
    fetched = jax.device_get(metrics)
    clock.tick(count)
    of_seed = {i: {name: float(of[i]) for name, of in fetched.items()} for i, _ in alive}
    written = dict(of_seed)
    for index, values in of_seed.items():
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        if len(finite) < len(values) and running.experiment.guard is None:
            wrong = [f"{name} is {value}" for name, value in values.items() if name not in finite]
            alive.end([index], step, ", ".join(wrong))
        elif len(finite) < len(values):
            written[index] = finite  # JSON has no NaN
        alive.count_returns(index, step, values)
    for index, member in alive:
        diagnosed = (
            {} if states is None else member.diagnostics(devices.own_copy(_of_one(states, index)))
        )
        if running.is_due(running.experiment.log_every, step) or diagnosed:
            member.log.metrics(step, written[index] | diagnosed)
    seen = running.experiment.examples_per_step
    epoch = step * seen / running.experiment.data.count
    shown = [of_seed[index] for index, _ in alive]
    means = {name: sum(values[name] for values in shown) / len(shown) for name in fetched}
    running.display.progress(step, epoch, len(shown) * seen * clock.steps_per_second, means)


def _evaluate(running: Running, member: Member, state: gan.GANState, step: int) -> None:
    try:
        rows = member.light_evaluation.rows(state, step)
    except RequestError as error:
        running.say(f"step {step} is not evaluated: {error}", member)
        return
    member.log.evaluation(step, rows)


def _of_one(states: gan.GANState, index: int) -> gan.GANState:
    """The state of one seed, like those of all in the host's memory."""
    return jax.tree.map(lambda leaf: leaf[index], states)


def _is_finite(state: gan.GANState) -> bool:
    """Checks parameters and averages; a random key or a step number cannot be infinite."""
    parts = (state.generator.params, state.discriminator.params, state.ema)
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(parts))


def _diverged(directory: runs.RunDirectory, step: int, reason: str) -> str:
    saved = checkpoints.steps(directory.checkpoints)
    newest = f"the newest checkpoint is of step {saved[-1]}" if saved else "nothing was saved yet"
    return f"diverged at step {step}: {reason}; {newest}"


def _last_words(member: Member, brief: bool) -> str:
    directory, experiment = member.directory, member.experiment
    path = directory.path
    scores = last_scores(directory, experiment) if experiment.evaluate_every else None
    if brief:
        return f"finished: {path}" + (f" · {scores}" if scores else "")
    return "\n".join(
        [
            f"finished: {path}",
            *([f"  scores      {scores}"] if scores else []),
            *(
                f"  best        step {step}: --step best"
                for step in checkpoints.steps(directory.best)
            ),
            f"  samples     {directory.final_picture}",
            f"  film strip  {directory.film_strip}",
            f"  metrics     {directory.metrics}",
            f"  more        gan-jax sample {path} --count 64 --out more.png",
        ]
    )
