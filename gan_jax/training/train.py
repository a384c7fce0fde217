"""Trains runs: checks the request, finds where each run starts, and hands them to the loop."""

import dataclasses
import functools
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.evaluation.during_training import (
    LightEvaluation,
    keep_best,
    over_seeds,
    restore_scores,
)
from gan_jax.experiment import Experiment
from gan_jax.runs import checkpoints
from gan_jax.runtime import devices, hosts
from gan_jax.runtime.signals import stop_signals
from gan_jax.sampling import sheets
from gan_jax.training import recording
from gan_jax.training.diagnostics import Diagnostics
from gan_jax.training.hooks import Hook
from gan_jax.training.logs import Display, RunLog
from gan_jax.training.loop import run_loop
from gan_jax.training.outcome import DivergedError, Outcome
from gan_jax.training.parallel_seeds import make_plan, resolve
from gan_jax.training.preflight import (
    check_classes,
    check_memory,
    check_shapes,
    fitted_values,
)
from gan_jax.training.pretrained import InitFrom
from gan_jax.training.session import RunInTraining, Session
from gan_jax.training.start import (
    Start,
    align,
    data_in_words,
    find_start,
    initialise,
    locked,
    schedules_in_words,
)
from gan_jax.training.strategy import Strategy

Experiments = Mapping[runs.RunDirectory, Experiment]  # of each run, by its directory


@dataclasses.dataclass(frozen=True)
class _Common:
    """What holds for every run of one program, as their `static` is the same.

    Attributes:
        strategy: how they share the devices, never "auto".
        last_step: at which training ends.
        diagnostics: computes figures of states.
        light_evaluation: scores states; None where the experiment is not evaluated.
        several: a run that diverges is marked and left alone from then on.
        hooks: of the user.
        data_in_words: what was found in the data.
        loaded: content hashes and class names of data and feature network, for the records.
        fitted: what the data have fitted, for the records; see `preflight.fitted_values`.
    """

    strategy: Strategy
    last_step: int
    diagnostics: Diagnostics
    light_evaluation: LightEvaluation | None
    several: bool
    hooks: tuple[Hook, ...]
    data_in_words: str
    loaded: dict[str, Any]
    fitted: dict[str, Any] | None


def train(
    experiment: Experiment,
    workdir: Path,
    *,
    seeds: Sequence[int] | None = None,
    strategy: Strategy = "auto",
    file: Path | None = None,
    init_from: InitFrom | None = None,
    accept_changes: bool = False,
    hooks: Sequence[Hook] = (),
) -> Outcome:
    """Trains an experiment in a run directory, or resumes the run there.

    Starts from the newest intact checkpoint, else another run's parameters, else random ones.
    Several seeds train in one program, each with a run of its own in workdir/seed_<n>; those that
    are finished or have diverged are left alone, so that seeds may be added later.

    Args:
        experiment: the configuration.
        workdir: the run directory, or that of the seeds' runs; made if it is not there.
        seeds: train these, instead of the experiment's own.
        strategy: how they share the devices, see `parallel_seeds.make_plan`.
        file: the Python file that defines the experiment, for the record.
        init_from: another run to take parameters from.
        accept_changes: resume even if settings of JAX have changed that change random draws.
        hooks: act besides those that write and show the runs, see `training.hooks.base.Hook`.

    Raises:
        RequestError: the run cannot be made as asked; nothing of it has changed on disk, but that
            damaged checkpoints may have been set aside.
        DivergedError: a loss or a parameter is NaN or infinite, of all seeds if there are several.
    """
    if seeds is not None and not seeds:
        raise RequestError("train(..., seeds=()): give at least one seed, or None")
    directory = runs.RunDirectory(workdir)
    how = {"file": file, "init_from": init_from, "accept_changes": accept_changes, "hooks": hooks}
    if seeds is None:
        return train_runs({directory: experiment}, several=False, **how)
    runs.claim_for_seeds(directory)
    experiments = {
        directory.of_seed(seed): dataclasses.replace(experiment, seed=seed) for seed in seeds
    }
    outcome = train_runs(experiments, strategy=strategy, **how)
    if outcome is Outcome.FINISHED:
        _say_over_seeds(experiments)
        every = runs.RunDirectory(workdir / f"{runs.SEED_PREFIX}*")
        print(f"pictures: {every.final_picture}, {every.film_strip.name}", file=sys.stderr)
    return outcome


def train_runs(
    experiments: Experiments,
    *,
    strategy: Strategy = "auto",
    file: Path | None = None,
    init_from: InitFrom | None = None,
    accept_changes: bool = False,
    several: bool = True,
    hooks: Sequence[Hook] = (),
) -> Outcome:
    """Trains runs in one program, or goes on with them.

    Args:
        experiments: of each run directory; their `static` is the same.
        strategy: how they share the devices, see `parallel_seeds.make_plan`.
        file: the Python file that defines them, for the record.
        init_from: another run to take parameters from.
        accept_changes: as that of `train`.
        several: a run that diverges is marked and left alone from then on.
        hooks: as those of `train`.

    Raises:
        RequestError: a run cannot be made as asked, as that of `train`.
        DivergedError: a loss or a parameter is NaN or infinite, in all of the runs.
    """
    devices.configure()  # for callers from Python; the command line has done so
    _check_processes(next(iter(experiments.values())), several)
    records = recording.make_records(experiments, file, init_from)
    # All that can be refused is refused before anything is written.
    for directory, record in records.items():
        runs.claim(directory, record, accept_changes)
    common = _prepare(experiments, strategy, several, hooks)
    records = {directory: record | common.loaded for directory, record in records.items()}
    _check_agreement(records)
    initial = {
        directory: initialise(each, init_from)
        for directory, each in experiments.items()
        if not checkpoints.steps(directory.checkpoints)
    }

    with ExitStack() as stack:
        with hosts.first_decides() as is_first:
            for directory in experiments if is_first else ():
                stack.enter_context(locked(directory))
        earlier, found = {}, []
        for directory, each in experiments.items():
            # Once more, now with what had to be read, and as another process may have come first.
            earlier[directory] = runs.claim(directory, records[directory], accept_changes)
            if directory.divergence.exists():
                print(_left_alone(directory), file=sys.stderr)
            else:
                found.append(find_start(each, directory, initial.get(directory), common.last_step))
        if not found:
            raise DivergedError("\n".join(map(_left_alone, experiments)))
        hosts.meet()  # so that nobody reads what another writes from now on
        scratch = None  # where what processes but the first write is thrown away
        if not is_first:
            scratch = runs.RunDirectory(Path(stack.enter_context(TemporaryDirectory())))
        starts = []
        for start in align(found, common.last_step):
            was, now = earlier[start.directory], records[start.directory]
            trained_from = start.step if start.step < common.last_step else None
            changes = recording.changes_in_words(was, now, trained_from if start.restored else None)
            if is_first:
                whole = recording.extend(was, now, trained_from, common.fitted)
                recording.write(start.directory, whole)
            directory = scratch or start.directory
            directory.samples.mkdir(exist_ok=True)
            messages = (*start.messages, *changes)
            starts.append(dataclasses.replace(start, directory=directory, messages=messages))
        if is_first:
            _say_what_was_found(common)
        stopping = stack.enter_context(stop_signals())  # until the last save is on disk
        return _train_groups(common, starts, stopping)


def _prepare(
    experiments: Experiments, strategy: Strategy, several: bool, hooks: Sequence[Hook]
) -> _Common:
    """Checks that the experiments can be trained, and loads what they have in common."""
    experiment = next(iter(experiments.values()))
    data = experiment.data
    # Runs may be spread over the devices.
    check_memory(experiment, max(1, len(experiments) // jax.device_count()))
    check_shapes(experiment)
    last_step = experiment.total_steps()
    data.indices(experiment.seed, 0, experiment.examples_per_step)  # refuses too few examples
    check_classes(experiment)
    light_evaluation = LightEvaluation.of(experiment)
    loaded = {"data": data.fingerprint(), "class_names": list(data.class_names)}
    if light_evaluation:
        loaded["features"] = light_evaluation.evaluator.features_sha256
    return _Common(
        strategy=resolve(strategy, len(experiments)),
        last_step=last_step,
        diagnostics=Diagnostics.of(experiment),
        light_evaluation=light_evaluation,
        several=several,
        hooks=tuple(hooks),
        data_in_words=data_in_words(experiment),
        loaded=loaded,
        fitted=fitted_values(data),
    )


def _say_what_was_found(common: _Common) -> None:
    print(common.data_in_words, file=sys.stderr)
    if common.light_evaluation and common.light_evaluation.evaluator.network is None:
        only = "only test_error is measured, and no best checkpoint is kept"
        print(f"{only}, as there is no feature network for these data", file=sys.stderr)


def _check_processes(experiment: Experiment, several: bool) -> None:
    if hosts.count() > 1 and several:
        raise RequestError("several processes train one run: start each seed alone, with --seed")
    if hosts.count() > 1 and experiment.batch_size % jax.device_count():
        raise RequestError(
            f"Experiment.batch_size = {experiment.batch_size}: must be a multiple of the "
            f"{jax.device_count()} devices of all processes"
        )


def _left_alone(directory: runs.RunDirectory) -> str:
    return f"{directory.path} has diverged before, and is left alone as it would diverge again"


def _check_agreement(records: dict[runs.RunDirectory, recording.Record]) -> None:
    compared = ("experiment", "init_from", "data", "class_names", "features")
    of_runs = [[record.get(name) for name in compared] for record in records.values()]
    if not hosts.agree(json.dumps(of_runs)):
        raise RequestError(
            "the processes were given different experiments, seeds or data: start all of them with "
            "the same arguments but --process-id"
        )


def _train_groups(common: _Common, starts: list[Start], stopping: Callable[[], bool]) -> Outcome:
    """Trains runs that are at the same step together, those that are behind first."""
    outcome, diverged = None, []
    for step in sorted({start.step for start in starts}):
        group = [start for start in starts if start.step == step]
        try:
            outcome = _train_together(common, group, stopping)
        except DivergedError as error:
            diverged.append(str(error))
        if outcome is Outcome.STOPPED:
            break
    if outcome is None:
        raise DivergedError("\n".join(diverged))
    for message in diverged:
        print(message, file=sys.stderr)
    return outcome


def _train_together(common: _Common, starts: list[Start], stopping: Callable[[], bool]) -> Outcome:
    step, last_step, started = starts[0].step, common.last_step, time.monotonic()
    with ExitStack() as stack:
        display = stack.enter_context(Display(step, last_step, silent=not hosts.is_first()))
        logs = []
        for start in starts:
            log = stack.enter_context(RunLog(start.directory, start.experiment.seed, step))
            say = functools.partial(_say, display, log)
            log.message(common.data_in_words)
            for message in (*start.messages, start.in_words(last_step)):
                say(message)
            for message in schedules_in_words(start.experiment) if step < last_step else ():
                say(message)
            if common.light_evaluation:
                of_run = common.light_evaluation.of_run(start.experiment)
                restore_scores(start.directory, of_run, step, say)
                keep_best(start.directory, start.experiment)
            if step >= last_step and hosts.is_first():
                sheets.save_final(start.experiment, start.state, start.directory, display.say)
            logs.append(log)
        if step >= last_step:
            return Outcome.FINISHED
        together = tuple(
            _run_in_training(common, position, start, log, stack)
            for position, (start, log) in enumerate(zip(starts, logs, strict=True))
        )
        plan = make_plan(common.strategy, len(starts), starts[0].experiment.batch_size)
        if len(starts) > 1:
            how = f"{plan} (--strategy {common.strategy})"
            display.say(how)
            for log in logs:
                log.message(how)
        session = Session(plan, together, display, stopping, last_step, started, common.several)
        states = [start.state for start in starts]
        stacked = plan.stack(states)
        for leaf in jax.tree.leaves(states):
            leaf.delete()  # otherwise each state would be in memory twice as long as it trains
        return run_loop(session, stacked, step, common.hooks)


def _say(display: Display, log: RunLog, message: str) -> None:
    display.say(message)
    log.message(message)


def _run_in_training(
    common: _Common, position: int, start: Start, log: RunLog, stack: ExitStack
) -> RunInTraining:
    experiment, light_evaluation = start.experiment, common.light_evaluation
    checkpointer = checkpoints.Checkpointer(start.checkpoints, experiment.keep_checkpoints)
    return RunInTraining(
        position=position,
        experiment=experiment,
        directory=start.directory,
        log=log,
        checkpointer=stack.enter_context(checkpointer),
        diagnostics=dataclasses.replace(common.diagnostics, experiment=experiment),
        light_evaluation=light_evaluation and light_evaluation.of_run(experiment),
    )


def _say_over_seeds(experiments: Experiments) -> None:
    experiment = next(iter(experiments.values()))
    if experiment.evaluate_every is None:
        return
    going = {d: each for d, each in experiments.items() if not d.divergence.exists()}
    scores = over_seeds(going, experiment.total_steps())
    if scores:
        print(scores, file=sys.stderr)
