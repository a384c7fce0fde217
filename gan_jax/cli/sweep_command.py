"""`gan-jax sweep`: from what was asked on the command line to a sweep, and its end in words."""

import ast
import dataclasses
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.text import Text

from gan_jax.cli.commands import Sweep as Command
from gan_jax.common.errors import RequestError
from gan_jax.experiment import Experiment
from gan_jax.reports.terminal import compact_table, make_console, print_whole
from gan_jax.runtime import devices
from gan_jax.sweeps import grid, launch, plan, search
from gan_jax.sweeps import train as sweep
from gan_jax.sweeps.plan import Sweep, SweepDirectory
from gan_jax.sweeps.train import Result
from gan_jax.training import parallel_seeds

DEFAULT_SEEDS = "0:4"
OF_A_NEW_SWEEP = ("workdir", "seeds", "grid", "draw", "draws", "key", "search", "dry_run")
OF_ONE_THAT_IS_THERE = ("only", "status")


def run(command: Command) -> Result | None:
    """Does what the command asks.

    Returns:
        How the sweep ended; None where nothing was to be trained here.

    Raises:
        RequestError: the request makes no sense; nothing has changed.
    """
    _refuse_what_would_be_ignored(command)
    devices.configure()
    parallel_seeds.use_cores(command.strategy, devices.cores())
    devices.use_one_heap()
    is_new = command.source.suffix == ".py"
    if not is_new:
        directory = SweepDirectory(command.source)
        wanted = plan.read(directory)
        if command.only:
            wanted = plan.only(wanted, command.only)
    else:
        directory = SweepDirectory(command.workdir or Path("runs") / f"{command.source.stem}_sweep")
        if command.search is not None:
            return _search(command, directory)
        chosen = _seeds(command)
        wanted = Sweep(_settings(command), chosen, command.source)
    if command.status:
        _show_status(directory, wanted)
        return None
    if command.dry_run:
        _show_plan(directory, wanted)
        return None
    train = _trainer(command, directory)
    # Once before the lock makes the directory, as what is refused must leave none; once under it.
    if is_new and not directory.plan.exists():
        plan.prepare(directory, wanted)
    # Beside a process that trains a part of the sweep others may train other parts.
    with nullcontext() if command.only else plan.driving(directory):
        if is_new:
            wanted = plan.prepare(directory, wanted)
        if command.retry_failed:
            sweep.forget_failures(directory, wanted)
            states = [sweep.progress(directory, wanted, name) for name in wanted.settings]
            if diverged := sum(state.diverged for state in states):
                count = len(states) * len(wanted.seeds)
                _announce(
                    f"diverged, and left alone as that is a result: {diverged} of {count} runs"
                )
        for name in sweep.failures(directory, wanted):
            _announce(f"{name} has failed before and is left alone; --retry-failed trains it again")
        result = train(wanted)
    if result is None:
        return None
    _show_status(directory, wanted)
    if result.unfinished:
        _announce(f"not all is finished; go on with: gan-jax sweep {directory.path}")
    elif all(experiment.evaluate_every for experiment in wanted.settings.values()):
        _announce(f"compare them: gan-jax compare {directory.path}")
    return result


def _trainer(command: Command, directory: SweepDirectory) -> Callable[[Sweep], Result | None]:
    """What trains a sweep as the command asks; what it asks of the launcher is checked now."""
    if command.launcher == "slurm":
        executor = launch.slurm(directory, dict(map(_parameter, command.slurm)))

        def submit(wanted):
            jobs = launch.submit(executor, directory, wanted, command.strategy)
            listed = f": {', '.join(job.job_id for job in jobs)}" if jobs else ""
            _announce(f"submitted {len(jobs)} jobs{listed}")
            _announce(f"how far they are: gan-jax sweep {directory.path} --status")

        return submit
    if command.launcher == "local":
        shares = launch.shares_of_cores(command.jobs)

        def train(wanted):
            return launch.train_locally(directory, wanted, shares, command.strategy, _announce)

        return train

    def train_here(wanted):
        return sweep.train_sweep(directory, wanted, command.strategy, _announce)

    return train_here


def _announce(message: str) -> None:
    print(message, file=sys.stderr)


def _search(command: Command, directory: SweepDirectory) -> Result:
    if command.search < 1 or command.launcher != "here":
        given = f"--search {command.search} --launcher {command.launcher}"
        raise RequestError(f"{given}: a search is for at least 1 setting, and in this process")
    for name in ("draws", "key", "dry_run", "retry_failed"):
        if (given := getattr(command, name)) != getattr(Command, name):
            raise RequestError(f"--{name.replace('_', '-')} {given}: is not for --search")
    if not hasattr(command, "experiment"):
        raise RequestError(f"{command.source} defines no `experiment`")
    if not command.grid and not command.draw:
        raise RequestError(f"--search {command.search}: say in --grid and --draw what to search")
    axes, ranges = _choices(command)
    space = search.Space(command.experiment, axes, ranges, _seeds(command), command.source)
    result = search.search(directory, space, command.search, command.strategy, _announce)
    if result.unfinished:
        _announce("stopped and saved; run the same command to go on")
    return result


def _seeds(command: Command) -> tuple[int, ...]:
    return parallel_seeds.parse(DEFAULT_SEEDS if command.seeds is None else command.seeds)


def _settings(command: Command) -> grid.Settings:
    if not hasattr(command, "experiment"):
        if command.grid or command.draw:
            raise RequestError(
                f"{command.source} defines experiments(), which --grid and --draw do not change"
            )
        return grid.from_file(command.source)
    if not 1 <= command.draws <= 10_000 or not 0 <= command.key < 2**32:
        given = f"--draws {command.draws} --key {command.key}"
        raise RequestError(f"{given}: from 1 to 10000 draws, and a key from 0 to 2^32 - 1")
    axes, ranges = _choices(command)
    drawn = grid.draw(ranges, command.draws, command.key) if ranges else [()]
    return grid.product(command.experiment, axes, drawn)


def _choices(command: Command) -> tuple[list[list[grid.Choice]], list[grid.Range]]:
    axes = [grid.parse_grid(text, command.source) for text in command.grid]
    return axes, [grid.parse_range(text) for text in command.draw]


def _refuse_what_would_be_ignored(command: Command) -> None:
    asked = {
        field.name: getattr(command, field.name)
        for field in dataclasses.fields(Command)
        if field.name != "source" and getattr(command, field.name) != field.default
    }
    is_new = command.source.suffix == ".py"
    for name in OF_ONE_THAT_IS_THERE if is_new else OF_A_NEW_SWEEP:
        if name in asked:
            right = "the directory of a sweep" if is_new else "an experiment's Python file"
            option = f"--{name.replace('_', '-')}"
            raise RequestError(f"{option}: needs {right}, and {command.source} is none")
    if command.retry_failed and (command.status or command.dry_run):
        raise RequestError("--retry-failed: is to train, and --status and --dry-run do not")
    for name, other, value in (
        ("jobs", "launcher", "local"),
        ("slurm", "launcher", "slurm"),
        ("draws", "draw", ()),
        ("key", "draw", ()),
    ):
        given = getattr(command, other)
        if name in asked and (given == value if other == "draw" else given != value):
            needed = f"--{other}" if other == "draw" else f"--{other} {value}"
            raise RequestError(f"--{name} {asked[name]}: is for {needed}")


def _parameter(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise RequestError(f"--slurm {text}: give NAME=VALUE, timeout_min=60 for example")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def _show_plan(directory: SweepDirectory, wanted: Sweep) -> None:
    plan.check(wanted)
    for number, job in enumerate(sweep.jobs(directory, wanted), start=1):
        print(f"program {number}:")
        for name, experiment in job.items():
            listed = ", ".join(map(str, wanted.seeds))
            print(f"  {name}: seeds {listed}, {_steps(experiment)} steps")


def _steps(experiment: Experiment, seeds: int = 1) -> str:
    try:
        return str(parallel_seeds * experiment.total_steps())
    except RequestError:  # given in epochs, of data that cannot be read
        return "an unknown number of"


def _show_status(directory: SweepDirectory, wanted: Sweep) -> None:
    console, plain = make_console()
    counted = ("finished", "diverged", "training", "waiting")
    table = compact_table("setting", *counted, "steps", "failed")
    for name, experiment in wanted.settings.items():
        state = sweep.progress(directory, wanted, name)
        counts = (state.finished, state.diverged, state.training, state.waiting)
        steps = f"{state.steps} of {_steps(experiment, len(wanted.seeds))}"
        table.add_row(Text(name), *map(str, counts), steps, Text(state.failure or ""))
    print_whole(console, table, wrapped="" if plain else "failed")
