"""The `gan-jax` command: a thin layer that parses, calls, and turns errors into exit codes."""

import collections.abc
import contextlib
import dataclasses
import functools
import io
import logging
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import FlagConversionOff, FlagCreatePairsOff, arg
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from gan_jax.commands import Compare, Evaluate, Features, Health, Sample, Score, Sweep, Train
from gan_jax.errors import RequestError
from gan_jax.files import write_atomically

FINISHED, FAILED, WRONG_REQUEST, DIVERGED, STOPPED, INTERRUPTED = 0, 1, 2, 3, 75, 130


def main(arguments: list[str] | None = None) -> None:
    """Runs one command and exits with its code."""
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
        command = _parse(arguments)
        for kind in (Train, Sweep):
            if isinstance(command, kind):
                return _restartable(_COMMANDS[kind], command)
        return _COMMANDS[type(command)](command)
    except RequestError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_REQUEST
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("interrupted; a run that has saved goes on from there", file=sys.stderr)
        return INTERRUPTED


def _parse(arguments: list[str]) -> Any:
    kinds = {"train": Train, "sweep": Sweep}
    if arguments[:1] and arguments[0] in kinds:
        kinds[arguments[0]] = _with_fields(arguments, kinds[arguments[0]])
    if "--help" in arguments:  # tyro leaves out of the help what stands before the flag
        arguments = [*arguments[:1], "--help"]
    commands = {
        **kinds,
        "sample": Sample,
        "score": Score,
        "features": Features,
        "evaluate": Evaluate,
        "compare": Compare,
        "health": Health,
    }
    with _functions_by_name:
        if arguments[:1] and arguments[0] in commands:
            command, *rest = arguments
            return tyro.cli(
                commands[command],
                prog=f"gan-jax {command}",
                args=rest,
                config=(FlagCreatePairsOff,),
            )
        return tyro.extras.subcommand_cli_from_dict(
            commands,
            args=arguments,
            prog="gan-jax",
            description="Train generative adversarial networks, and use what was trained.",
        )


_functions_by_name = ConstructorRegistry()


@_functions_by_name.primitive_rule
def _function_by_name(field: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """Lets fields that hold functions be given as module:function, jax.nn:gelu for example."""
    if collections.abc.Callable not in (field.type, field.type_origin):
        return None
    from gan_jax.config import decode, encode

    def found(words):
        function = decode({"function": words[0]}) if ":" in words[0] else None
        if not callable(function):
            raise ValueError("give MODULE:FUNCTION, jax.nn:gelu for example")
        return function

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="MODULE:FUNCTION",
        instance_from_str=found,
        is_instance=callable,
        str_from_instance=lambda function: [encode(function).get("function", repr(function))],
    )


def _with_fields(arguments: list[str], kind: type) -> type:
    """Adds to the arguments of a command every field of the experiment whose file is named."""
    file = next((Path(a) for a in arguments[1:] if a.endswith(".py")), None)
    if file is None:
        return kind
    from gan_jax.config import load_experiment, load_file

    if kind is Sweep and not hasattr(load_file(file), "experiment"):
        return kind
    experiment = load_experiment(file)
    # Either gives the length of a run: naming one takes the place of the other. The 1 is only there
    # to be overridden.
    named = {a.split("=")[0] for a in arguments}
    if {"--seed", "--seeds"} <= named:
        raise RequestError("--seed and --seeds: give one of the two")
    if "--steps" in named and "--epochs" not in named and experiment.epochs:
        experiment = dataclasses.replace(experiment, steps=1, epochs=None)
    if "--epochs" in named and "--steps" not in named and experiment.steps:
        experiment = dataclasses.replace(experiment, steps=None, epochs=1)
    named_by_path = Annotated[type(experiment), arg(name=""), FlagConversionOff]
    field = ("experiment", named_by_path, experiment)
    parser = dataclasses.make_dataclass(kind.__name__, [field], bases=(kind,), frozen=True)
    parser.__doc__ = kind.__doc__
    return parser


def _restartable(action: Any, command: Any) -> int:
    # Until the loop can save, there is nothing to save: SIGTERM only asks to be started again.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))
    try:
        return action(command)
    finally:
        signal.signal(signal.SIGTERM, before)


def _train(command: Any) -> int:
    if not hasattr(command, "experiment"):
        raise RequestError(f"{command.file}: an experiment is a Python file, its name ends in .py")
    if command.dry_run:
        from gan_jax.dry_run import describe

        print(describe(command.experiment))
        return FINISHED
    from gan_jax import devices, hosts

    devices.configure()
    hosts.join(command.coordinator, command.processes, command.process_id)
    from gan_jax.loop import DivergedError, Outcome
    from gan_jax.pretrained import PLAYERS, InitFrom
    from gan_jax.seeds import parse
    from gan_jax.train import train

    init_from = None
    if command.init_from:
        players = PLAYERS if command.init_players == "both" else (command.init_players,)
        init_from = InitFrom(command.init_from, players, command.init_partial)
    workdir = command.workdir or Path("runs") / command.file.stem
    seeds = None
    if command.seeds is None and command.strategy != "auto":
        raise RequestError(f"--strategy {command.strategy}: is for --seeds")
    if command.seeds is not None:
        seeds = parse(command.seeds)
        if command.strategy in ("auto", "shard", "shard-vmap"):
            devices.use_cores(len(seeds))
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


def _sweep(command: Any) -> int:
    from gan_jax import sweep_command

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

    from gan_jax import devices, pictures, runs, samples

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
    if command.interpolate:
        columns = 8
        latents = samples.interpolate(run.experiment, command.key, command.count, columns)
    else:
        columns = max(1, round(command.count**0.5))
        latents = samples.draw_latents(run.experiment, command.key, command.count)
    drawn = samples.from_latents(run.experiment, run.state, latents, command.raw)
    if out.suffix == ".npz":
        buffer = io.BytesIO()
        np.savez(buffer, samples=drawn, latents=np.asarray(latents))
        write_atomically(out, buffer.getvalue())
    else:
        pictures.save_png(pictures.page(run.experiment, drawn, columns), out)
    print(f"{len(drawn)} samples of step {run.state.step} in {out}")
    return FINISHED


def _score(command: Score) -> int:
    from gan_jax import devices, runs, samples

    if not command.images:
        raise RequestError("give at least one image file to score")
    step = _step(command.step)
    devices.configure()
    run = runs.load(runs.one_seed(command.run, command.seed), step)
    images = run.experiment.data.read_files(command.images)
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
        from gan_jax.metrics.inception import download

        download(command.out)
        return FINISHED
    from gan_jax import classifier_training
    from gan_jax.data import images

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

    from gan_jax import devices, runs
    from gan_jax.evaluation import evaluate, lines, table
    from gan_jax.metrics import named_features

    devices.configure()
    network = named_features.from_text(command.features) if command.features else None
    announce = functools.partial(print, file=sys.stderr)
    if command.data is None:
        chosen = [found for run in command.runs for found in runs.all_seeds(run, command.seed)]
        evaluation = evaluate.evaluate_runs(
            chosen, command.samples, step, network, command.key, announce
        )
    else:
        evaluation = evaluate.evaluate_data(
            *command.data, command.size, command.channels, network, announce
        )
        if command.out:
            lines.record(command.out, evaluation.rows)
    table.show(evaluation)
    return FINISHED


def _compare(command: Compare) -> int:
    if not command.runs:
        raise RequestError("give at least one directory of seeds")
    if command.out and command.out.suffix != ".csv":
        raise RequestError(f"--out {command.out}: must end in .csv")
    if command.out and not command.out.parent.is_dir():
        raise RequestError(f"--out {command.out}: there is no folder {command.out.parent}")
    from gan_jax import sweep
    from gan_jax.evaluation import compare, table

    settings = [setting for run in command.runs for setting in sweep.directories(run)]
    basis, comparisons = compare.compare(settings)
    table.show_comparisons(basis, comparisons)
    if command.out:
        write_atomically(command.out, compare.to_csv(comparisons).encode())
    return FINISHED


def _health(command: Health) -> int:
    from gan_jax import runs
    from gan_jax.health import describe

    chosen = runs.all_seeds(command.run, command.seed)
    for path in chosen:
        if len(chosen) > 1:
            print(f"{path.name}:")
        print(describe(path))
    return FINISHED


_COMMANDS: dict[type, Any] = {
    Train: _train,
    Sweep: _sweep,
    Sample: _sample,
    Score: _score,
    Features: _features,
    Evaluate: _evaluate,
    Compare: _compare,
    Health: _health,
}
