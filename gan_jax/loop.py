"""The training loop: compiled steps, and what is written between them."""

import dataclasses
import enum
import functools
import math
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Int32, PyTree

from gan_jax import checkpoints, devices, feed, gan, pictures, runs
from gan_jax.diagnostics import Diagnostics
from gan_jax.errors import RequestError
from gan_jax.evaluation.during_training import LightEvaluation, keep_best, last_scores
from gan_jax.experiment import Experiment
from gan_jax.logs import Reporter

# How long a signal or the progress bar may have to wait for the device. Each call gets its buffers
# anew, which costs the reference a fifth of a step on CPU, so calls of single steps are too short.
SECONDS_PER_CALL = 2.0


class Outcome(enum.Enum):
    """How `train` ended."""

    FINISHED = enum.auto()
    STOPPED = enum.auto()  # by a signal, after saving


class DivergedError(Exception):
    """The losses or the parameters are no finite numbers any more."""


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def run_steps(
    experiment: Experiment,
    mesh: Mesh,
    state: gan.GANState,
    pool: PyTree,
    positions: Int32[Array, "steps batch"],
    count: Int32[Array, ""],
) -> tuple[gan.GANState, gan.Metrics]:
    """Runs `count` updates in one program; returns the state and the metrics of the last one.

    The number of steps is an argument of the program, no part of it: one compilation serves every
    count, and the results cannot depend on how the steps are grouped into calls.

    Args:
        experiment: what the run is.
        mesh: the devices.
        state: is donated.
        pool: stored examples.
        positions: which of the pool form the batch of each step; rows beyond `count` are ignored.
        count: between 1 and the number of rows.
    """
    everywhere, split = devices.replicated(mesh), devices.split_batch(mesh)

    def step(i, carry):
        state, _ = carry
        chosen = jax.lax.with_sharding_constraint(positions[i], split)
        batch = experiment.data.prepare(jax.tree.map(lambda stored: stored[chosen], pool))
        updated = gan.update(experiment, state, batch)
        return jax.lax.with_sharding_constraint(updated, everywhere)

    _, shapes = jax.eval_shape(lambda: step(0, (state, None)))
    no_metrics = jax.tree.map(jnp.zeros_like, shapes)
    return jax.lax.fori_loop(0, count, step, (state, no_metrics))


class _Clock:
    """Measures steps per second, and from that how many steps one call should hold."""

    def __init__(self):
        self.steps_per_second = 0.0
        self.steps_per_call = 1
        self.restart()

    def restart(self) -> None:
        self._last = time.monotonic()

    def tick(self, count: int) -> None:
        now = time.monotonic()
        self.steps_per_second = count / max(now - self._last, 1e-6)
        self.steps_per_call = max(1, int(SECONDS_PER_CALL * self.steps_per_second))
        self._last = now


@dataclasses.dataclass(frozen=True)
class Running:
    """What stays the same while the loop runs."""

    experiment: Experiment
    mesh: Mesh
    directory: runs.RunDirectory
    reporter: Reporter
    saver: checkpoints.Checkpointer
    stopping: Callable[[], bool]
    last_step: int
    diagnostics: Diagnostics
    light_evaluation: LightEvaluation | None

    def is_due(self, every: int | None, step: int) -> bool:
        """Whether something that happens at intervals happens at this step; the last one counts."""
        return every is not None and (step % every == 0 or step == self.last_step)

    def steps_until_due(self, step: int) -> int:
        """How many steps one call may hold so that nothing that is due lies within it."""
        e = self.experiment
        intervals = (e.log_every, e.sample_every, e.save_every, e.evaluate_every)
        return min(self.last_step - step, *(every - step % every for every in intervals if every))


def run_loop(running: Running, state: gan.GANState, step: int) -> Outcome:
    """Trains from `step` to the last step, or until a signal, and saves either way.

    Raises:
        DivergedError: a loss or a parameter is NaN or infinite; the checkpoints stay as they are.
    """
    experiment, last_step = running.experiment, running.last_step
    source = feed.make_feed(experiment, running.mesh, step, last_step)
    if not checkpoints.steps(running.directory.checkpoints):
        pictures.save_step(experiment, state, running.directory, 0)
        running.saver.save(0, state)
        running.saver.wait()  # so that there is never a line of metrics without a checkpoint
    clock = _Clock()
    waiting = None  # metrics that may still be computed
    stopped = False
    while step < last_step and not stopped:
        count = min(clock.steps_per_call, source.limit, running.steps_until_due(step))
        pool, positions = source.next(step, count)
        state, metrics = run_steps(experiment, running.mesh, state, pool, positions, count)
        step += count
        # Only now, with the next call under way, are the metrics of the call before fetched, so
        # that the device never waits for the host.
        if waiting:
            _report(running, clock, *waiting)
        waiting = (step, count, metrics)
        sampling = running.is_due(experiment.sample_every, step)
        evaluating = running.is_due(experiment.evaluate_every, step)
        stopped = running.stopping()
        # What is evaluated is saved, so that there is a checkpoint to keep if it is the best.
        saving = stopped or evaluating or running.is_due(experiment.save_every, step)
        if sampling or saving:
            # A checkpoint never runs ahead of the metrics, pictures and scores of its step.
            _report(running, clock, *waiting, running.diagnostics(state) if sampling else None)
            waiting = None
            if sampling:
                pictures.save_step(experiment, state, running.directory, step)
            if saving and not _is_finite(state):
                raise _diverged(running, step, "not all parameters are finite")
            if evaluating:
                _evaluate(running, state, step)
            if saving:
                running.saver.save(step, state)
            if evaluating:
                running.saver.wait()
                keep_best(running.directory, experiment)
            if step == last_step:
                pictures.save_final(experiment, running.directory, running.reporter.say)
            clock.restart()
    if step < last_step:
        running.reporter.say(f"stopped at step {step} and saved; run the same command to go on")
        return Outcome.STOPPED
    running.reporter.say(_last_words(running.directory, experiment))
    return Outcome.FINISHED


def _report(
    running: Running,
    clock: _Clock,
    step: int,
    count: int,
    metrics: gan.Metrics,
    diagnosed: dict[str, float] | None = None,
) -> None:
    """Checks and reports the metrics of a step; a line has its diagnostics too, where there are."""
    values = {name: float(value) for name, value in jax.device_get(metrics).items()}
    clock.tick(count)
    if not all(math.isfinite(value) for value in values.values()):
        raise _diverged(running, step, str(values))
    if running.is_due(running.experiment.log_every, step) or diagnosed:
        running.reporter.metrics(step, values | (diagnosed or {}))
    seen = running.experiment.examples_per_step
    epoch = step * seen / running.experiment.data.count
    running.reporter.progress(step, epoch, seen * clock.steps_per_second, values)


def _evaluate(running: Running, state: gan.GANState, step: int) -> None:
    try:
        rows = running.light_evaluation.rows(state, step)
    except RequestError as error:
        running.reporter.say(f"step {step} is not evaluated: {error}")
        return
    running.reporter.evaluation(step, rows)


@jax.jit
def _is_finite(state: gan.GANState) -> Bool[Array, ""]:
    """Checks parameters and averages; a random key or a step number cannot be infinite."""
    numbers = (state.generator.params, state.discriminator.params, state.ema)
    return jnp.array([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(numbers)]).all()


def _diverged(running: Running, step: int, values: str) -> DivergedError:
    saved = checkpoints.steps(running.directory.checkpoints)
    newest = f"the newest checkpoint is of step {saved[-1]}" if saved else "nothing was saved yet"
    return DivergedError(f"diverged at step {step}: {values}; {newest}")


def _last_words(directory: runs.RunDirectory, experiment: Experiment) -> str:
    path = directory.path
    scores = last_scores(directory, experiment) if experiment.evaluate_every else None
    return "\n".join(
        [
            f"finished: {path}",
            *([f"  scores      {scores}"] if scores else []),
            f"  samples     {directory.final_picture}",
            f"  film strip  {directory.film_strip}",
            f"  metrics     {directory.metrics}",
            f"  more        gan-jax sample {path} --count 64 --out more.png",
        ]
    )
