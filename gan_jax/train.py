"""From an experiment to a trained run: initialise or restore, then the loop."""

import math
import os
import signal
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import filelock
import jax
from jax.sharding import Mesh

from gan_jax import checkpoints, devices, gan, pictures, runs
from gan_jax.errors import RequestError
from gan_jax.experiment import Experiment
from gan_jax.logs import Reporter
from gan_jax.loop import Outcome, Running, run_loop
from gan_jax.pretrained import InitFrom, load_pretrained

ECHO_SECONDS = 1.0  # wrappers pass a Ctrl-C on that the terminal has sent as well: that is one


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
    # All that can be refused is refused here, before anything is written.
    runs.claim(directory, record)
    check_shapes(experiment)
    last_step = experiment.total_steps()
    experiment.data.indices(experiment.seed, 0, experiment.examples_per_step)  # enough examples?
    record["data"] = experiment.data.fingerprint()
    devices.use_compilation_cache()
    mesh = devices.make_mesh(experiment.batch_size)

    start = None
    said: list[str] = []
    if not checkpoints.steps(directory.checkpoints):
        start = _initialise(experiment, mesh, init_from, said.append)

    with ExitStack() as stack:
        stack.enter_context(_locked(directory))
        # Once more, now with the data, and as another process may have come first.
        earlier = runs.claim(directory, record)
        restored = bool(checkpoints.steps(directory.checkpoints))
        if restored:
            step, state = _restore(experiment, mesh, directory, said.append)
        else:
            _refuse_lost_checkpoints(directory)
            step, state = 0, start
        if step < last_step:
            runs.write_record(directory, runs.extend_record(earlier, record))
        directory.samples.mkdir(exist_ok=True)
        reporter = stack.enter_context(Reporter(directory, experiment.seed, step, last_step))
        said.append(_first_words(directory, restored, step, last_step))
        for message in said:
            reporter.say(message)
        if step >= last_step:
            pictures.save_final(experiment, directory, reporter.say)
            return Outcome.FINISHED
        stopping = stack.enter_context(_stop_signals())  # until the last save is on disk
        saver = stack.enter_context(
            checkpoints.Checkpointer(directory.checkpoints, experiment.keep_checkpoints)
        )
        running = Running(experiment, mesh, directory, reporter, saver, stopping, last_step)
        return run_loop(running, state, step)


def check_shapes(experiment: Experiment) -> None:
    """Checks, without computing, that networks, data, losses and optimizers fit each other.

    Raises:
        RequestError: says which does not, with both shapes.
    """
    try:
        _check_networks(experiment)
        _check_update(experiment)
    except RequestError:
        raise
    except Exception as error:  # whatever the experiment's own code raises
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        hint = "; networks are called as module(x, condition, training=...)"
        raise RequestError(
            f"the networks, loss, penalties or optimizers fail{_place(error)}: {reason}"
            f"{hint if isinstance(error, TypeError) else ''}"
        ) from error


def _place(error: Exception) -> str:
    """Where the user's own code was when it failed: the innermost frame outside libraries."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    paths = [sysconfig.get_paths()[name] for name in names]
    libraries = {Path(__file__).parent, *map(Path, paths)}
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if (path := Path(frame.filename)).is_file() and libraries.isdisjoint(path.parents)
    ]
    return f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""


def _check_networks(experiment: Experiment) -> None:
    batch, shape = 2, experiment.data.sample_shape
    latent, _, condition = gan.blank_inputs(experiment, batch)
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
    for player in ("discriminator", "generator"):
        losses = jax.eval_shape(getattr(experiment.loss, player), logits, logits)
        shape = getattr(losses, "shape", None)
        if shape != (batch,):
            returned = type(losses).__name__ if shape is None else list(shape)
            raise RequestError(
                f"loss.{player} must return [batch], a loss for each example; for a batch of "
                f"{batch} it returns {returned}"
            )


def _check_update(experiment: Experiment) -> None:
    _, sample, condition = gan.blank_inputs(experiment, experiment.examples_per_step)
    batch = {"sample": sample, "condition": condition}
    before = jax.eval_shape(lambda: gan.init(experiment, 0))
    after, _ = jax.eval_shape(lambda state: gan.update(experiment, state, batch), before)
    for (path, old), new in zip(
        jax.tree_util.tree_leaves_with_path(before), jax.tree.leaves(after), strict=True
    ):
        if (old.shape, old.dtype) != (new.shape, new.dtype):
            name = jax.tree_util.keystr(path, simple=True, separator=".")
            raise RequestError(
                f"an update turns {name} from {old.dtype}{list(old.shape)} into "
                f"{new.dtype}{list(new.shape)}"
            )


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
    """Turns the first SIGTERM or SIGINT into a flag; a later one acts as it always does."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop.is_set  # only the main thread may handle signals
        return
    first = math.inf

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(number, frame):
        nonlocal first
        stop.set()
        if math.isinf(first):
            first = time.monotonic()
            with suppress(OSError):  # Ctrl-C also ends what the output is piped into
                os.write(2, b"\nstopping: the state is saved when this call is done\n")
        if time.monotonic() - first > ECHO_SECONDS:
            restore()
            signal.raise_signal(number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop.is_set
    finally:
        restore()


def _refuse_lost_checkpoints(directory: runs.RunDirectory) -> None:
    if directory.metrics.exists() and directory.metrics.stat().st_size:
        raise RequestError(
            f"{directory.path} has metrics, but its checkpoints are gone; to start over, "
            "remove the directory or give another --workdir"
        )


def _first_words(directory: runs.RunDirectory, restored: bool, step: int, last_step: int) -> str:
    if step >= last_step:
        return f"{directory.path} is finished, at step {step}; --steps N extends it"
    if restored:
        return f"resuming {directory.path} at step {step} of {last_step}"
    return f"training {last_step} steps in {directory.path}"
