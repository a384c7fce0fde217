"""From an experiment to a trained run: initialise or restore, then the loop."""

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import filelock
import jax
import jax.numpy as jnp

from gan_jax import gan, runs
from gan_jax.common.errors import BusyError, RequestError
from gan_jax.evaluation.during_training import LightEvaluation, keep_best, over_seeds
from gan_jax.experiment import Experiment
from gan_jax.runs import checkpoints, serialisation
from gan_jax.runtime import devices, hosts
from gan_jax.runtime.signals import stop_signals
from gan_jax.sampling import sheets
from gan_jax.training.diagnostics import Diagnostics
from gan_jax.training.logs import Display, RunLog, lost_metrics
from gan_jax.training.loop import DivergedError, Member, Outcome, Running, run_loop
from gan_jax.training.parallel_seeds import Strategy, make_plan, resolve
from gan_jax.training.preflight import check_classes, check_shapes
from gan_jax.training.pretrained import InitFrom, load_pretrained

_Fresh = tuple[gan.GANState, list[str]]  # an initial state, and what there is to say of it


@dataclasses.dataclass(frozen=True)
class _Common:
    """What all runs have in common."""

    strategy: Strategy
    last_step: int
    diagnostics: Diagnostics
    light_evaluation: LightEvaluation | None
    several: bool


@dataclasses.dataclass(frozen=True)
class _Start:
    """Where one run starts or goes on, and what there is to say of that.

    Of several processes all save the checkpoints together, and what else all but the first write
    into `directory` is thrown away.
    """

    experiment: Experiment
    directory: runs.RunDirectory
    checkpoints: Path
    restored: bool
    step: int
    state: gan.GANState
    said: tuple[str, ...]


def train(
    experiment: Experiment,
    workdir: Path,
    *,
    seeds: Sequence[int] | None = None,
    strategy: Strategy = "auto",
    file: Path | None = None,
    init_from: InitFrom | None = None,
) -> Outcome:
    """Trains an experiment in a run directory, or goes on with the run that is there.

    Starts from the newest intact checkpoint, else another run's parameters, else random ones.
    Several seeds train in one program, each with a run of its own in workdir/seed_<n>; those that
    are finished or have diverged are left alone, so that seeds may be added later.

    Args:
        experiment: what the run is.
        workdir: the run directory, or that of the seeds' runs; made if it is not there.
        seeds: train these, instead of the experiment's own.
        strategy: how they share the devices, see `seeds.make_plan`.
        file: the Python file that defines the experiment, for the record.
        init_from: another run to take parameters from.

    Raises:
        RequestError: the run cannot be made as asked; nothing on disk has changed.
        DivergedError: a loss is NaN or infinite, of all seeds where there are several.
    """
    directory = runs.RunDirectory(workdir)
    if seeds is None:
        return train_runs({directory: experiment}, file=file, init_from=init_from, several=False)
    runs.claim_for_seeds(directory)
    experiments = {
        directory.of_seed(seed): dataclasses.replace(experiment, seed=seed) for seed in seeds
    }
    outcome = train_runs(experiments, strategy=strategy, file=file, init_from=init_from)
    if outcome is Outcome.FINISHED:
        _say_over_seeds(experiments)
        every = runs.RunDirectory(workdir / f"{runs.SEED_PREFIX}*")
        print(f"pictures: {every.final_picture}, {every.film_strip.name}", file=sys.stderr)
    return outcome


def train_runs(
    experiments: Mapping[runs.RunDirectory, Experiment],
    *,
    strategy: Strategy = "auto",
    file: Path | None = None,
    init_from: InitFrom | None = None,
    several: bool = True,
) -> Outcome:
    """Trains runs in one program, or goes on with them.

    Args:
        experiments: of each run directory; their `static` is the same.
        strategy: how they share the devices.
        file: the Python file that defines them, for the record.
        init_from: another run to take parameters from.
        several: a run that diverges is marked and left alone from then on.

    Raises:
        RequestError: a run cannot be made as asked; nothing on disk has changed.
        DivergedError: a loss is NaN or infinite, in all of the runs.
    """
    devices.configure()  # before JAX starts
    experiment = next(iter(experiments.values()))
    if hosts.count() > 1 and several:
        raise RequestError("several processes train one run: start each seed alone, with --seed")
    if hosts.count() > 1 and experiment.batch_size % jax.device_count():
        raise RequestError(
            f"Experiment.batch_size = {experiment.batch_size}: must be a multiple of the "
            f"{jax.device_count()} devices of all processes"
        )
    common_record = runs.make_record(experiment, file, init_from.record() if init_from else None)
    records = {
        directory: common_record | {"experiment": serialisation.encode(each)}
        for directory, each in experiments.items()
    }
    # All that can be refused is refused before anything is written.
    for directory, record in records.items():
        runs.claim(directory, record)
    check_shapes(experiment)
    last_step = experiment.total_steps()
    experiment.data.indices(experiment.seed, 0, experiment.examples_per_step)  # enough examples?
    check_classes(experiment)
    common = _Common(
        strategy=resolve(strategy, len(experiments)),
        last_step=last_step,
        diagnostics=Diagnostics.of(experiment),
        light_evaluation=LightEvaluation.of(experiment),
        several=several,
    )
    known_now = {"data": experiment.data.fingerprint()}
    if common.light_evaluation:
        known_now["features"] = common.light_evaluation.evaluator.network.sha256()
    if not hosts.agree(
        json.dumps(
            [
                known_now,
                common_record["init_from"],
                *map(serialisation.encode, experiments.values()),
            ]
        )
    ):
        raise RequestError(
            "the processes were given different experiments, seeds or data: start all of them with "
            "the same arguments but --process-id"
        )
    fresh = {
        directory: _initialise(each, init_from)
        for directory, each in experiments.items()
        if not checkpoints.steps(directory.checkpoints)
    }

    with ExitStack() as stack:
        with hosts.first_decides() as is_first:
            for directory in experiments if is_first else ():
                stack.enter_context(_locked(directory))
        starts = []
        for directory, each in experiments.items():
            record = records[directory] | known_now
            # Once more, now with what had to be read, and as another process may have come first.
            earlier = runs.claim(directory, record)
            if directory.divergence.exists():
                print(f"{directory.path} has diverged before and is left alone", file=sys.stderr)
            else:
                starts.append(_start(each, directory, fresh.get(directory)))
                records[directory] = runs.extend_record(earlier, record)
        if not starts:
            raise DivergedError(f"all of {_listed(experiments)} have diverged before")
        hosts.meet()  # so that nobody reads what another writes from now on
        if not is_first:
            scratch = runs.RunDirectory(Path(stack.enter_context(TemporaryDirectory())))
            starts = [dataclasses.replace(start, directory=scratch) for start in starts]
        for start in starts:
            if start.step < last_step and is_first:
                runs.write_record(start.directory, records[start.directory])
            start.directory.samples.mkdir(exist_ok=True)
        stopping = stack.enter_context(stop_signals())  # until the last save is on disk
        return _train_groups(common, starts, stopping)


def _listed(experiments: Mapping[runs.RunDirectory, Experiment]) -> str:
    return ", ".join(str(directory.path) for directory in experiments)


def _start(
    experiment: Experiment,
    directory: runs.RunDirectory,
    fresh: _Fresh | None,
) -> _Start:
    said: list[str] = []
    restored = bool(checkpoints.steps(directory.checkpoints))
    if restored:
        template = _template(experiment)
        try:
            step, state = checkpoints.load_newest_intact(
                directory.checkpoints, template, said.append, mend=hosts.is_first()
            )
        except checkpoints.DamagedError as error:
            advice = f"to start over, remove {directory.path} or give another --workdir"
            raise RequestError(f"{error}; {advice}") from error
        state = devices.own_copy(state)
        if lost := lost_metrics(directory, step, experiment.log_every):
            said.append(f"warning: {lost}")
    else:
        _refuse_lost_checkpoints(directory)
        step, (state, said) = 0, fresh
    return _Start(experiment, directory, directory.checkpoints, restored, step, state, tuple(said))


def _initialise(experiment: Experiment, init_from: InitFrom | None) -> _Fresh:
    said: list[str] = []
    init = jax.jit(gan.init, static_argnums=0)
    state = init(experiment.static, jnp.uint32(experiment.seed))
    if init_from:
        state = load_pretrained(init_from, state, said.append)
    return state, said


def _train_groups(common: _Common, starts: list[_Start], stopping: Callable[[], bool]) -> Outcome:
    """Trains runs that are at the same step together, those that are behind first."""
    starts = _aligned(starts, common.last_step)
    diverged, finished = [], False
    for step in sorted({start.step for start in starts}):
        group = [start for start in starts if start.step == step]
        try:
            if _train_together(common, group, stopping) is Outcome.STOPPED:
                return Outcome.STOPPED
            finished = True
        except DivergedError as error:
            diverged.append(error)
    if diverged and not finished:
        raise diverged[-1]
    return Outcome.FINISHED


def _aligned(starts: list[_Start], last_step: int) -> list[_Start]:
    """Takes back runs that a crash between two saves has left a save ahead of others."""
    running = [start.step for start in starts if start.step < last_step]
    if not running:
        return starts
    behind = min(running)
    aligned = []
    for start in starts:
        folder = start.directory.checkpoints
        near = behind < start.step < min(last_step, behind + start.experiment.save_every + 1)
        if near and behind in checkpoints.steps(folder):
            with suppress(checkpoints.DamagedError):  # then it goes on by itself
                state = checkpoints.load(folder, behind, _template(start.experiment))
                checkpoints.remove_after(folder, behind)
                start = dataclasses.replace(start, step=behind, state=state)
        aligned.append(start)
    return aligned


def _train_together(common: _Common, starts: list[_Start], stopping: Callable[[], bool]) -> Outcome:
    step, last_step, started = starts[0].step, common.last_step, time.monotonic()
    with ExitStack() as stack:
        display = stack.enter_context(Display(step, last_step, silent=not hosts.is_first()))
        logs = []
        for start in starts:
            log = stack.enter_context(RunLog(start.directory, start.experiment.seed, step))
            first_words = _first_words(start.directory, start.restored, step, last_step)
            for message in (*start.said, first_words):
                display.say(message)
                log.message(message)
            if start.experiment.evaluate_every:
                keep_best(start.directory, start.experiment)
            if step >= last_step and hosts.is_first():
                sheets.save_final(start.experiment, start.directory, display.say)
            logs.append(log)
        if step >= last_step:
            return Outcome.FINISHED
        members = [
            _member(common, start, log, stack) for start, log in zip(starts, logs, strict=True)
        ]
        plan = make_plan(common.strategy, len(starts), starts[0].experiment.batch_size)
        if len(starts) > 1:
            how = f"{plan} (--strategy {common.strategy})"
            display.say(how)
            for log in logs:
                log.message(how)
        running = Running(
            plan, tuple(members), display, stopping, last_step, started, common.several
        )
        states = [start.state for start in starts]
        stacked = plan.stack(states)
        for leaf in jax.tree.leaves(states):
            leaf.delete()  # otherwise each state would be in memory twice as long as it trains
        return run_loop(running, stacked, step)


def _member(common: _Common, start: _Start, log: RunLog, stack: ExitStack) -> Member:
    experiment, light_evaluation = start.experiment, common.light_evaluation
    saver = checkpoints.Checkpointer(start.checkpoints, experiment.keep_checkpoints)
    return Member(
        experiment,
        start.directory,
        log,
        stack.enter_context(saver),
        dataclasses.replace(common.diagnostics, experiment=experiment),
        light_evaluation and light_evaluation.of_run(experiment),
    )


def _say_over_seeds(experiments: Mapping[runs.RunDirectory, Experiment]) -> None:
    experiment = next(iter(experiments.values()))
    if experiment.evaluate_every is None:
        return
    going = {d: each for d, each in experiments.items() if not d.divergence.exists()}
    scores = over_seeds(going, experiment.total_steps())
    if scores:
        print(scores, file=sys.stderr)


def _template(experiment: Experiment) -> gan.GANState:
    return runs.abstract_state(experiment, devices.for_checkpoints())


@contextmanager
def _locked(directory: runs.RunDirectory) -> Iterator[None]:
    """Makes the run directory, and keeps other processes from training in it."""
    try:
        directory.path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(directory.lock)
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise BusyError(
            f"another process is training in {directory.path}: wait until it has ended"
        ) from error
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
