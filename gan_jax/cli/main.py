"""The `gan-jax` command: a thin layer that parses, calls, and turns errors into exit codes."""

import contextlib
import errno
import functools
import io
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gan_jax.cli.commands import Compare, Evaluate, Features, Health, Sample, Score, Sweep, Train
from gan_jax.cli.parsing import parse
from gan_jax.common.errors import RequestError
from gan_jax.common.exit_codes import (
    DIVERGED,
    FAILED,
    FINISHED,
    INTERRUPTED,
    STOPPED,
    WRONG_REQUEST,
)
from gan_jax.common.files import write_atomically
from gan_jax.runtime import thread_errors


def main(arguments: list[str] | None = None) -> None:
    """Runs one command and exits with its code."""
    if arguments is None:  # the process is the command's own
        thread_errors.keep_back()
    with _warnings_on_terminal():
        code = _run(sys.argv[1:] if arguments is None else arguments)
    sys.exit(code)


@contextlib.contextmanager
def _warnings_on_terminal() -> Iterator[None]:
    """Prints the package's warnings as its errors are printed, and each only once."""
    seen: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return not (message in seen or seen.add(message))

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("warning: %(message)s"))
    handler.addFilter(is_new)
    logger = logging.getLogger("gan_jax")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


def _run(arguments: list[str]) -> int:
    try:
        command = parse(arguments)
        (action,) = (act for kind, act in _ACTIONS.items() if isinstance(command, kind))
        return action(command)
    except RequestError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_REQUEST
    except OSError as error:
        full = os.strerror(errno.ENOSPC) in str(error)
        hint = "; free some space and run the same command again" if full else ""
        print(f"error: {error}{hint}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("interrupted; a run that has saved goes on from there", file=sys.stderr)
        return INTERRUPTED


def _restartable(action: Callable[[Any], int]) -> Callable[[Any], int]:
    """Lets SIGTERM, until the training loop can save, only ask to be started again."""

    @functools.wraps(action)
    def restartable(command: Any) -> int:
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))
        try:
            return action(command)
        finally:
            signal.signal(signal.SIGTERM, before)

    return restartable


@_restartable
def _train(command: Any) -> int:
    if not hasattr(command, "experiment"):
        raise RequestError(f"{command.file}: an experiment is a Python file, its name ends in .py")
    from gan_jax.training.parallel_seeds import parse as parse_seeds

    seeds = None if command.seeds is None else parse_seeds(command.seeds)
    if seeds is None and command.strategy != "auto":
        raise RequestError(f"--strategy {command.strategy}: is for --seeds")
    if command.dry_run:
        from gan_jax.training.dry_run import describe

        print(describe(command.experiment))
        return FINISHED
    from gan_jax.runtime import devices, hosts

    devices.configure()
    hosts.join(command.coordinator, command.processes, command.process_id)
    from gan_jax.training.outcome import DivergedError, Outcome
    from gan_jax.training.parallel_seeds import use_cores
    from gan_jax.training.pretrained import PLAYERS, InitFrom
    from gan_jax.training.train import train

    init_from = None
    if command.init_from:
        players = PLAYERS if command.init_players == "both" else (command.init_players,)
        init_from = InitFrom(command.init_from, players, command.init_partial)
    workdir = command.workdir or Path("runs") / command.file.stem
    if seeds is not None:
        use_cores(command.strategy, len(seeds))
        devices.use_one_heap()
    try:
        with hosts.ending_together(RequestError, DivergedError):
            outcome = train(
                command.experiment,
                workdir,
                seeds=seeds,
                strategy=command.strategy,
                file=command.file,
                init_from=init_from,
            )
    except DivergedError as error:
        print(f"error: {error}", file=sys.stderr)
        return DIVERGED
    return FINISHED if outcome is Outcome.FINISHED else STOPPED


@_restartable
def _sweep(command: Any) -> int:
    from gan_jax.cli import sweep_command

    result = sweep_command.run(command)
    if result is None:
        return FINISHED
    if result.unfinished:
        return STOPPED
    if result.failed:
        return FAILED
    return DIVERGED if result.all_diverged else FINISHED


def _sample(command: Sample) -> int:
    import numpy as np

    from gan_jax import runs
    from gan_jax.runtime import devices
    from gan_jax.sampling import samples, sheets

    out = command.out or Path("samples.png")
    if out.suffix not in (".png", ".npz"):
        raise RequestError(f"--out {out}: must end in .png or .npz")
    if not out.parent.is_dir():
        raise RequestError(f"--out {out}: there is no folder {out.parent}")
    if command.count < 1 or not 0 <= command.key < 2**32:
        given = f"--count {command.count} --key {command.key}"
        raise RequestError(f"{given}: the count is at least 1, the key from 0 to 2^32 - 1")
    step = _step(command.step)
    devices.configure()
    run = runs.load(runs.one_seed(command.run, command.seed), step)
    experiment, count = run.experiment, command.count
    if command.label is None:
        labels = samples.take_turns(experiment, count)
    else:
        labels = samples.of_class(experiment, command.label, count)
    if command.interpolate:
        if command.truncation is not None:
            raise RequestError("--interpolate walks between whole latents: leave --truncation out")
        columns = 8
        latents = samples.interpolate(experiment, command.key, count, columns)
        labels = None if labels is None else np.repeat(labels, columns)  # a path has one class
    else:
        columns = max(1, round(count**0.5))
        latents = samples.draw_latents(experiment, command.key, count, command.truncation)
    drawn = samples.from_latents(experiment, run.state, latents, command.raw, labels)
    if out.suffix == ".npz":
        buffer = io.BytesIO()
        arrays = {"samples": drawn, "latents": np.asarray(latents)}
        arrays |= {} if labels is None else {"labels": labels}
        np.savez(buffer, **arrays)
        write_atomically(out, buffer.getvalue())
    else:
        sheets.save_png(sheets.page(run.experiment, drawn, columns), out)
    print(f"{len(drawn)} samples of step {run.state.step} in {out}")
    return FINISHED


def _score(command: Score) -> int:
    from gan_jax import runs
    from gan_jax.losses import gives_log_odds
    from gan_jax.runtime import devices
    from gan_jax.sampling import samples

    if not command.images:
        raise RequestError("give at least one image file to score")
    step = _step(command.step)
    devices.configure()
    run = runs.load(runs.one_seed(command.run, command.seed), step)
    images = run.experiment.data.read_files(command.images)
    if not gives_log_odds(run.experiment.loss):
        loss = type(run.experiment.loss).__name__
        print(
            f"the loss is {loss}: the sigmoid of a logit orders images, and is no probability",
            file=sys.stderr,
        )
    for path, p in zip(
        command.images, samples.probability_real(run.experiment, run.state, images), strict=True
    ):
        print(f"{p:.4f}  {path}")
    return FINISHED


def _step(text: str) -> Any:
    """Which checkpoint: a step, 'best', or 'latest'."""
    if text.isascii() and text.isdecimal():
        return int(text)
    if text not in ("best", "latest"):
        raise RequestError(f"--step {text}: give a step, best or latest")
    return text


def _features(command: Features) -> int:
    if command.data == "inception":
        from gan_jax.features.inception_v3 import download

        download(command.out)
        return FINISHED
    from gan_jax.data import images
    from gan_jax.recognition import classifier_training

    out = command.out
    if out.suffix != ".npz":
        raise RequestError(f"--out {out}: must end in .npz")
    if not out.parent.is_dir():
        raise RequestError(f"--out {out}: there is no folder {out.parent}")
    if command.epochs < 1 or not 0 <= command.seed < 2**32:
        given = f"--epochs {command.epochs} --seed {command.seed}"
        raise RequestError(f"{given}: at least 1 epoch, and a seed from 0 to 2^32 - 1")
    data = images.from_text(command.data, command.size, command.channels)
    try:
        made = classifier_training.make(data, command.data, out, command.epochs, command.seed)
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED
    print(
        f"{made.test_accuracy:.2%} of {made.test_count:,} test images right ({made.tested_on}); "
        f"weights in {out}"
    )
    return FINISHED


def _evaluate(command: Evaluate) -> int:
    if command.data is None and not command.runs:
        raise RequestError("give at least one run directory, or two sets of images with --data")
    if command.data is not None and command.runs:
        raise RequestError("give run directories or --data, not both")
    idle = ("seed", "samples", "step", "key") if command.data else ("size", "channels", "out")
    for name in idle:
        if (value := getattr(command, name)) != getattr(Evaluate, name):
            of = "runs, not of --data" if command.data else "--data, not of runs"
            raise RequestError(f"--{name} {value}: is for the evaluation of {of}")
    if command.out and command.out.suffix != ".jsonl":
        raise RequestError(f"--out {command.out}: must end in .jsonl")
    if command.out and not command.out.parent.is_dir():
        raise RequestError(f"--out {command.out}: there is no folder {command.out.parent}")
    if command.samples < 2 or not 0 <= command.key < 2**32:
        given = f"--samples {command.samples} --key {command.key}"
        raise RequestError(f"{given}: samples are at least 2, the key from 0 to 2^32 - 1")
    step = _step(command.step)

    from gan_jax import runs
    from gan_jax.evaluation import of_runs, rows
    from gan_jax.features import named
    from gan_jax.reports import terminal
    from gan_jax.runtime import devices
    from gan_jax.sweeps import plan

    devices.configure()
    network = named.from_text(command.features) if command.features else None
    announce = functools.partial(print, file=sys.stderr)
    if command.data is not None:
        evaluation = of_runs.evaluate_data(
            *command.data, command.size, command.channels, network, announce
        )
        if command.out:
            rows.record(command.out, evaluation.rows)
        terminal.show(evaluation)
        return FINISHED
    failed = []
    groups = plan.evaluated_together(command.runs)
    for position, group in enumerate(groups, start=1):
        if len(groups) > 1:
            announce(f"{position} of {len(groups)}: {', '.join(map(str, group))}")
        try:
            chosen = [found for run in group for found in runs.all_seeds(run, command.seed)]
            evaluation = of_runs.evaluate_runs(
                chosen, command.samples, step, network, command.key, announce
            )
        except RequestError as error:
            failed.append(str(error))
        else:
            if group != list(command.runs):
                print(*group)
            terminal.show(evaluation)
    if failed:
        raise RequestError("\n".join(failed))
    return FINISHED


def _compare(command: Compare) -> int:
    if not command.runs:
        raise RequestError("give at least one directory of seeds")
    if command.out and command.out.suffix != ".csv":
        raise RequestError(f"--out {command.out}: must end in .csv")
    if command.out and not command.out.parent.is_dir():
        raise RequestError(f"--out {command.out}: there is no folder {command.out.parent}")
    from gan_jax.evaluation import compare
    from gan_jax.reports import terminal
    from gan_jax.sweeps import plan

    settings = [setting for run in command.runs for setting in plan.directories(run)]
    basis, comparisons = compare.compare(settings)
    terminal.show_comparisons(basis, comparisons)
    if command.out:
        write_atomically(command.out, compare.to_csv(basis, comparisons).encode())
    return FINISHED


def _health(command: Health) -> int:
    from gan_jax import runs
    from gan_jax.health.rules import describe

    chosen = runs.all_seeds(command.run, command.seed)
    for path in chosen:
        if len(chosen) > 1:
            print(f"{path.name}:")
        print(describe(path))
    return FINISHED


_ACTIONS: dict[type, Callable[[Any], int]] = {
    Train: _train,
    Sweep: _sweep,
    Sample: _sample,
    Score: _score,
    Features: _features,
    Evaluate: _evaluate,
    Compare: _compare,
    Health: _health,
}
