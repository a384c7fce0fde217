"""From an experiment to a trained run: initialise or restore, then the loop."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import filelock
import jax
from jax.sharding import Mesh

from gan_jax import checkpoints, devices, gan, pictures, runs
from gan_jax.diagnostics import Diagnostics
from gan_jax.errors import RequestError
from gan_jax.evaluation.during_training import LightEvaluation, keep_best
from gan_jax.experiment import Experiment
from gan_jax.logs import Reporter
from gan_jax.loop import Outcome, Running, run_loop
from gan_jax.pretrained import InitFrom, load_pretrained
from gan_jax.shapes import check_shapes
from gan_jax.signals import stop_signals


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
    light_evaluation = LightEvaluation.of(experiment)
    diagnostics = Diagnostics.of(experiment)
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
        if experiment.evaluate_every:
            keep_best(directory, experiment)
        if step >= last_step:
            pictures.save_final(experiment, directory, reporter.say)
            return Outcome.FINISHED
        stopping = stack.enter_context(stop_signals())  # until the last save is on disk
        saver = stack.enter_context(
            checkpoints.Checkpointer(directory.checkpoints, experiment.keep_checkpoints)
        )
        running = Running(
            experiment,
            mesh,
            directory,
            reporter,
            saver,
            stopping,
            last_step,
            diagnostics,
            light_evaluation,
        )
        return run_loop(running, state, step)


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
