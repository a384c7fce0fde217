"""From an experiment to a trained run: initialise or restore, then the loop."""

import dataclasses
import enum
import functools
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import filelock
import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Int32, PyTree

from gan_jax import checkpoints, devices, feed, gan, pictures, runs
from gan_jax.errors import RequestError
from gan_jax.experiment import Experiment
from gan_jax.logs import Reporter
from gan_jax.pretrained import InitFrom, load_pretrained

SECONDS_PER_CALL = 0.5  # how long a signal or the progress bar may have to wait for the device


class Outcome(enum.Enum):
    """How `train` ended."""

    FINISHED = enum.auto()
    STOPPED = enum.auto()  # by a signal, after saving


class DivergedError(Exception):
    """The losses are no finite numbers any more."""


def train(
    experiment: Experiment,
    workdir: Path,
    *,
    file: Path | None = None,
    init_from: InitFrom | None = None,
) -> Outcome:
    """Trains an experiment in a run directory, or goes on with the run that is there.

    Starts from the newest intact checkpoint, else another run's parameters, else random ones.

    Args:
        experiment: what the run is.
        workdir: the run directory; made if it is not there.
        file: the Python file that defines the experiment, for the record.
        init_from: another run to take parameters from.

    Raises:
        RequestError: the run cannot be made as asked; nothing on disk has changed.
        DivergedError: a loss is NaN or infinite.
    """
    directory = runs.RunDirectory(workdir)
    record = runs.make_record(experiment, file, init_from.record() if init_from else None)
    runs.claim(directory, record)
    check_shapes(experiment)
    last_step = experiment.total_steps()
    experiment.data.indices(experiment.seed, 0, experiment.examples_per_step)
    devices.use_compilation_cache()
    mesh = devices.make_mesh(experiment.batch_size)

    start = None
    said: list[str] = []
    if not checkpoints.steps(directory.checkpoints):
        start = _initialise(experiment, mesh, init_from, said.append)

    with ExitStack() as stack:
        stack.enter_context(_locked(directory))
        known = runs.claim(directory, record) is not None
        if checkpoints.steps(directory.checkpoints):
            step, state = _restore(experiment, mesh, directory, said.append)
        else:
            step, state = 0, start
        if step < last_step:
            runs.write_record(directory, record)
        directory.samples.mkdir(exist_ok=True)
        reporter = stack.enter_context(Reporter(directory, experiment.seed, step, last_step))
        said.append(_first_words(directory, known, step, last_step))
        for message in said:
            reporter.say(message)
        if step >= last_step:
            return Outcome.FINISHED
        saver = stack.enter_context(
            checkpoints.Checkpointer(directory.checkpoints, experiment.keep_checkpoints)
        )
        stopping = stack.enter_context(_stop_signals())
        running = _Running(experiment, mesh, directory, reporter, saver, stopping, last_step)
        return _loop(running, state, step)


def check_shapes(experiment: Experiment) -> None:
    """Checks, without computing, that both networks fit each other and the data.

    Raises:
        RequestError: names the network and both shapes.
    """
    batch, shape = 2, experiment.data.sample_shape
    condition = jnp.zeros((batch,), jnp.int32) if experiment.data.labels else None
    latent = jnp.zeros((batch, experiment.latent_size))
    state = jax.eval_shape(lambda: gan.init(experiment, 0))
    fake = jax.eval_shape(lambda s: gan.generate(experiment, s, latent, condition), state)
    if fake.shape != (batch, *shape):
        made = fake.shape[1:]
        raise RequestError(f"the generator makes samples of shape {made}, the data have {shape}")
    logits = jax.eval_shape(
        lambda s, sample: gan.discriminate(experiment, s, sample, condition), state, fake
    )
    if logits.shape != (batch,):
        raise RequestError(
            f"the discriminator must return logits of shape [batch]; for a batch of {batch} it "
            f"returns {list(logits.shape)}"
        )


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

    batch = jax.tree.map(lambda stored: stored[positions[0]], pool)
    shapes = jax.eval_shape(
        lambda: gan.update(experiment, state, experiment.data.prepare(batch))[1]
    )
    no_metrics = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)
    return jax.lax.fori_loop(0, count, step, (state, no_metrics))


@dataclasses.dataclass(frozen=True)
class _Running:
    """What stays the same while the loop runs."""

    experiment: Experiment
    mesh: Mesh
    directory: runs.RunDirectory
    reporter: Reporter
    saver: checkpoints.Checkpointer
    stopping: Callable[[], bool]
    last_step: int

    def is_due(self, every: int, step: int) -> bool:
        return step % every == 0 or step == self.last_step

    def steps_until_due(self, step: int) -> int:
        e = self.experiment
        intervals = (e.log_every, e.sample_every, e.save_every)
        return min(self.last_step - step, *(every - step % every for every in intervals))


def _loop(running: _Running, state: gan.GANState, step: int) -> Outcome:
    experiment, last_step = running.experiment, running.last_step
    source = feed.make_feed(experiment, running.mesh, step, last_step)
    if step == 0:
        pictures.save_step(experiment, state, running.directory, 0)
        running.saver.save(0, state)
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
        stopped = running.stopping()
        saving = stopped or running.is_due(experiment.save_every, step)
        if sampling or saving:
            # A checkpoint never runs ahead of the metrics and pictures of its step.
            _report(running, clock, *waiting)
            waiting = None
            if sampling:
                pictures.save_step(experiment, state, running.directory, step)
            if step == last_step:
                pictures.save_final(experiment, running.directory)
            if saving:
                running.saver.save(step, state)
            clock.restart()
    if step < last_step:
        running.reporter.say(f"stopped at step {step} and saved; run the same command to go on")
        return Outcome.STOPPED
    running.reporter.say(_last_words(running.directory))
    return Outcome.FINISHED


def _report(
    running: _Running, clock: "_Clock", step: int, count: int, metrics: gan.Metrics
) -> None:
    values = {name: float(value) for name, value in jax.device_get(metrics).items()}
    clock.tick(count)
    if not all(math.isfinite(value) for value in values.values()):
        saved = checkpoints.steps(running.directory.checkpoints)
        raise DivergedError(
            f"diverged at step {step}: {values}; the newest checkpoint is of step {saved[-1]}"
        )
    if running.is_due(running.experiment.log_every, step):
        running.reporter.metrics(step, values)
    seen = running.experiment.examples_per_step
    epoch = step * seen / running.experiment.data.count
    running.reporter.progress(step, epoch, seen * clock.steps_per_second, values)


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


def _initialise(
    experiment: Experiment,
    mesh: Mesh,
    init_from: InitFrom | None,
    announce: Callable[[str], None],
) -> gan.GANState:
    state = jax.jit(gan.init, static_argnums=(0, 1))(experiment, experiment.seed)
    if init_from:
        state = load_pretrained(init_from, state, announce)
    return jax.device_put(state, devices.replicated(mesh))


def _restore(
    experiment: Experiment,
    mesh: Mesh,
    directory: runs.RunDirectory,
    announce: Callable[[str], None],
) -> tuple[int, gan.GANState]:
    template = runs.abstract_state(experiment, devices.replicated(mesh))
    return checkpoints.load_newest_intact(directory.checkpoints, template, announce)


@contextmanager
def _locked(directory: runs.RunDirectory) -> Iterator[None]:
    """Makes the run directory, and keeps other processes from training in it."""
    try:
        directory.path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(directory.lock)
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise RequestError(f"another process is training in {directory.path}") from error
    except OSError as error:
        raise RequestError(f"workdir {directory.path} cannot be written: {error}") from error
    with lock:
        yield


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Turns the first SIGTERM or SIGINT into a flag; a second one acts as it always does."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop.is_set  # only the main thread may handle signals
        return
    signals = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in signals}

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(number, frame):
        stop.set()
        restore()

    for number in signals:
        signal.signal(number, handle)
    try:
        yield stop.is_set
    finally:
        restore()


def _first_words(directory: runs.RunDirectory, known: bool, step: int, last_step: int) -> str:
    if step >= last_step:
        return f"{directory.path} is finished, at step {step}; --steps N extends it"
    if step:
        return f"resuming {directory.path} at step {step} of {last_step}"
    again = ", once more from the start: there was no checkpoint yet" if known else ""
    return f"training {last_step} steps in {directory.path}{again}"


def _last_words(directory: runs.RunDirectory) -> str:
    path = directory.path
    return "\n".join(
        [
            f"finished: {path}",
            f"  samples     {directory.final_picture}",
            f"  film strip  {directory.film_strip}",
            f"  metrics     {directory.metrics}",
            f"  more        gan-jax sample {path} --count 64 --out more.png",
        ]
    )
