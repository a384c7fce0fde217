"""`gan-jax sweep`: trains many configurations of an experiment, or resumes such a sweep."""

import ast
import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from tyro.conf import Positional, Suppress, arg

from gan_jax.cli.parsing import Command, Needs, experiment_file, options_of
from gan_jax.cli.shared import OpensRuns, announce, check_key, check_range, restartable
from gan_jax.common.errors import RequestError
from gan_jax.common.exit_codes import DIVERGED, FAILED, FINISHED, STOPPED
from gan_jax.training.strategy import Strategy

if TYPE_CHECKING:  # at run time a command imports JAX only when it starts
    from gan_jax.sweeps.grid import Choice, Configurations, Range
    from gan_jax.sweeps.plan import Sweep, SweepDirectory
    from gan_jax.sweeps.train import Result

MOST_DRAWS = 10_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class _FileForm(Command):
    """Options of the forms that are given an experiment's file."""

    FIELDS_REQUIRED: ClassVar[bool] = False

    file: Annotated[Positional[Path], arg(metavar="EXPERIMENT.py")]
    """Python file that defines `experiment`, or a function `experiments()` that yields (name,
    experiment)."""
    workdir: Path | None = None
    """Directory of the sweep; runs/<name of the file>_sweep if not given."""
    seeds: str = "0:4"
    """Seeds of each configuration: 0:4 for 0 to 3, or 0,3,5 for these three."""
    grid: tuple[str, ...] = ()
    """FIELD=VALUE,VALUE; several of them make their product. FIELD+FIELD=VALUE,VALUE changes both
    fields together. Values are Python, with the names of the file:
    "loss=losses.NonSaturating,losses.Minimax(label_smoothing=0.1)"."""
    draw: tuple[str, ...] = ()
    """FIELD=LOW:HIGH or FIELD=log:LOW:HIGH: values drawn from this interval, uniformly or
    log-uniformly."""
    experiment: Suppress[Any] = None
    """The experiment of `file`, with the fields that were overridden."""

    @property
    def _directory(self) -> "SweepDirectory":
        from gan_jax.sweeps.plan import SweepDirectory

        return SweepDirectory(self.workdir or Path("runs") / f"{self.file.stem}_sweep")

    @property
    def _seeds(self) -> tuple[int, ...]:
        from gan_jax.training import parallel_seeds

        return parallel_seeds.parse(self.seeds)

    def _choices(self) -> "tuple[list[list[Choice]], list[Range]]":
        """Reads --grid and --draw, as `gan_jax.sweeps.grid` has them."""
        from gan_jax.sweeps import grid

        axes = [grid.parse_grid(text, self.file) for text in self.grid]
        return axes, [grid.parse_range(text) for text in self.draw]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _TrainingOptions(Command):
    """Options of the forms that train."""

    strategy: Strategy = "auto"
    """How runs that train together share the devices: sequentially, batched, or spread over
    them."""
    accept_changes: bool = False
    """Resume even if settings of JAX have changed that change random draws, such as
    JAX_ENABLE_X64."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _TrainingForm(_TrainingOptions):
    """Options of the forms that train the rest of a sweep."""

    launcher: Literal["here", "local", "slurm"] = "here"
    """Train in this process, in several processes of this machine, or as an array job of SLURM."""
    jobs: Annotated[int, Needs("--launcher", "local")] = 2
    """With --launcher local: number of processes, each with its own cores."""
    slurm: Annotated[tuple[str, ...], Needs("--launcher", "slurm")] = ()
    """With --launcher slurm: NAME=VALUE for parameters of submitit, timeout_min=60 for example."""
    retry_failed: bool = False
    """Also train configurations that failed before. Runs that diverged are not trained again."""

    def _train(
        self,
        directory: "SweepDirectory",
        sweep: "Sweep",
        trainer: "Callable[[Sweep], Result | None]",
    ) -> int:
        """Trains what is left, and prints how far the sweep is then.

        Args:
            directory: where the sweep is.
            sweep: what it is.
            trainer: what `_trainer` has made.
        """
        from gan_jax.sweeps import overview, train

        if self.retry_failed:
            train.forget_failures(directory, sweep)
            states = [train.progress(directory, sweep, name) for name in sweep.configurations]
            if diverged := sum(state.diverged for state in states):
                count = len(states) * len(sweep.seeds)
                announce(f"{diverged} of {count} runs have diverged and are not trained again")
        for name in train.failures(directory, sweep):
            announce(f"{name} failed before and is skipped; --retry-failed trains it again")
        result = trainer(sweep)
        if result is None:
            return FINISHED
        overview.show_status(directory, sweep)
        if result.unfinished:
            announce(f"not all is finished; resume with: gan-jax sweep {directory.path}")
        elif all(experiment.evaluate_every for experiment in sweep.configurations.values()):
            announce(f"compare them: gan-jax compare {directory.path}")
        return _exit_code(result)

    def _trainer(self, directory: "SweepDirectory") -> "Callable[[Sweep], Result | None]":
        """Makes the function that trains a sweep; it returns None if SLURM is to train it."""
        from gan_jax.sweeps import launch, train

        if self.launcher == "slurm":
            executor = launch.slurm(directory, dict(map(_parameter, self.slurm)))

            def submit(sweep):
                how = {"strategy": self.strategy, "accept_changes": self.accept_changes}
                jobs = launch.submit(executor, directory, sweep, **how)
                listed = f": {', '.join(job.job_id for job in jobs)}" if jobs else ""
                announce(f"submitted {len(jobs)} jobs{listed}")
                announce(f"see their progress: gan-jax sweep {directory.path} --status")

            return submit
        if self.launcher == "local":
            cores = launch.divide_cores(self.jobs)
            return lambda sweep: launch.train_locally(
                directory, sweep, cores, self.strategy, announce, self.accept_changes
            )
        return lambda sweep: train.train_sweep(
            directory, sweep, self.strategy, announce, self.accept_changes
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class NewSweep(_TrainingForm, _FileForm):
    """Train many configurations of an experiment, each with several seeds. Run it again to resume.

    Each configuration is a directory of seeds in the directory of the sweep. Configurations that
    differ only in learning rates, penalty weights or EMA decay share one compiled program. Every
    field of the experiment, as `gan-jax sweep EXPERIMENT.py --help` lists them, can be overridden
    for all configurations by its dotted path. With --search N, Optuna chooses the configurations:
    see `gan-jax sweep --help`.
    """

    USAGE: ClassVar[str] = "sweep EXPERIMENT.py"

    draws: Annotated[int, Needs("--draw")] = 10
    """With --draw: how often all its fields are drawn; each draw is combined with the whole
    grid."""
    key: Annotated[int, Needs("--draw")] = 0
    """With --draw: random key of the draws."""
    dry_run: bool = False
    """Print the configurations and which of them train together; train nothing."""

    @classmethod
    def fits(cls, words: Sequence[str]) -> bool:
        """Whether an experiment's file is named, and no search asked for."""
        return experiment_file(words) is not None and not Search.fits(words)

    @restartable
    def run(self) -> int:
        """Plans the sweep, or adds to its plan, and trains what is left."""
        _start(self.strategy)
        from gan_jax.sweeps import overview, plan, train

        directory = self._directory
        sweep = plan.Sweep(self._configurations(), self._seeds, self.file)
        if self.dry_run:
            overview.show_plan(directory, sweep, with_failed=self.retry_failed)
            return FINISHED
        trainer = self._trainer(directory)
        if self.launcher != "slurm":  # whose machines may have another memory
            train.check_fits(directory, sweep)
        # Taking the lock makes the directory, and a request that is refused must not leave one.
        if not directory.plan.exists():
            plan.prepare(directory, sweep)
        with plan.driving(directory):
            return self._train(directory, plan.prepare(directory, sweep), trainer)

    def _configurations(self) -> "Configurations":
        from gan_jax.sweeps import grid

        if self.experiment is None:
            if self.grid or self.draw:
                raise RequestError(
                    f"{self.file} defines experiments(), which --grid and --draw do not change"
                )
            return grid.from_file(self.file)
        check_range("--draws", self.draws, 1, MOST_DRAWS)
        check_key("--key", self.key)
        axes, ranges = self._choices()
        drawn = grid.draw(ranges, self.draws, self.key) if ranges else [()]
        return grid.product(self.experiment, axes, drawn)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Search(_TrainingOptions, _FileForm):
    """Let Optuna choose configurations from --grid and --draw, one after another.

    They are scored by the mean of the experiment's best_metric over seeds. Run it again to resume.
    """

    USAGE: ClassVar[str] = "sweep EXPERIMENT.py --search N"

    search: int
    """How many configurations to try in all."""

    @classmethod
    def fits(cls, words: Sequence[str]) -> bool:
        """Whether an experiment's file is named, and a search asked for."""
        return experiment_file(words) is not None and "search" in options_of(words)

    @restartable
    def run(self) -> int:
        """Tries configurations; see `gan_jax.sweeps.search`."""
        check_range("--search", self.search, 1)
        if self.experiment is None:
            raise RequestError(f"{self.file} defines no `experiment`, which --search needs")
        if not self.grid and not self.draw:
            raise RequestError(f"--search {self.search}: say in --grid and --draw what to search")
        _start(self.strategy)
        from gan_jax.sweeps import search

        space = search.Space(self.experiment, *self._choices(), self._seeds, self.file)
        how = {"strategy": self.strategy, "accept_changes": self.accept_changes}
        result = search.search(self._directory, space, self.search, announce=announce, **how)
        if result.unfinished:
            announce("stopped and saved; run the same command to resume")
        return _exit_code(result)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResumedSweep(_TrainingForm, OpensRuns):
    """Train what is left of a sweep."""

    USAGE: ClassVar[str] = "sweep DIR"

    directory: Annotated[Positional[Path], arg(metavar="DIR")]
    """Directory of the sweep."""
    only: tuple[str, ...] = ()
    """Train only these configurations."""

    @classmethod
    def fits(cls, words: Sequence[str]) -> bool:
        """Whether no experiment's file is named, and the status is not asked for."""
        return experiment_file(words) is None and not SweepStatus.fits(words)

    @restartable
    def run(self) -> int:
        """Reads the plan of the sweep, and trains what is left."""
        _start(self.strategy)
        from gan_jax.sweeps import plan

        self.admit(self.directory)
        directory, sweep = _read(self.directory, self.only)
        trainer = self._trainer(directory)
        # While a process trains some of the configurations, others may train the rest.
        with contextlib.nullcontext() if self.only else plan.driving(directory):
            return self._train(directory, sweep, trainer)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SweepStatus(OpensRuns):
    """Print how far a sweep is; train nothing."""

    USAGE: ClassVar[str] = "sweep DIR --status"

    directory: Annotated[Positional[Path], arg(metavar="DIR")]
    """Directory of the sweep."""
    status: bool = False
    """Print how far the sweep is."""
    only: tuple[str, ...] = ()
    """Print only these configurations."""

    @classmethod
    def fits(cls, words: Sequence[str]) -> bool:
        """Whether the status is asked for, and no experiment's file is named."""
        return experiment_file(words) is None and "status" in options_of(words)

    def run(self) -> int:
        """Prints a line for each configuration; see `gan_jax.sweeps.overview`."""
        from gan_jax.sweeps import overview

        self.admit(self.directory)
        overview.show_status(*_read(self.directory, self.only))
        return FINISHED


def _start(strategy: str) -> None:
    """Sets up JAX before it starts: caches, devices for runs that train together, one heap."""
    from gan_jax.runtime import devices
    from gan_jax.training import parallel_seeds

    devices.configure()
    parallel_seeds.use_cores(strategy, devices.cores())
    devices.use_one_heap()


def _read(path: Path, only: Sequence[str]) -> "tuple[SweepDirectory, Sweep]":
    """Reads the plan of a sweep; all of its configurations if `only` is empty."""
    from gan_jax.sweeps import plan

    directory = plan.SweepDirectory(path)
    sweep = plan.read(directory)
    return directory, plan.only(sweep, only) if only else sweep


def _exit_code(result: "Result") -> int:
    if result.unfinished:
        return STOPPED
    if result.failed:
        return FAILED
    return DIVERGED if result.all_diverged else FINISHED


def _parameter(text: str) -> tuple[str, Any]:
    """Reads NAME=VALUE of --slurm; the value is Python, or text."""
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise RequestError(f"--slurm {text}: give NAME=VALUE, timeout_min=60 for example")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


FORMS = (NewSweep, Search, ResumedSweep, SweepStatus)
