"""`gan-jax train`: trains an experiment, or resumes its run."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from tyro.conf import Positional, Suppress, arg

from gan_jax.cli.parsing import Command, Needs
from gan_jax.cli.shared import announce, restartable
from gan_jax.common.errors import RequestError
from gan_jax.common.exit_codes import DIVERGED, FINISHED, STOPPED
from gan_jax.training.strategy import Strategy


@dataclasses.dataclass(frozen=True)
class Train(Command):
    """Train an experiment. Run it again to resume.

    `gan-jax train EXPERIMENT.py --help` lists every field of that experiment; each can be
    overridden by its dotted path: --generator.width 32.
    """

    USAGE: ClassVar[str] = "train EXPERIMENT.py"

    file: Annotated[Positional[Path], arg(metavar="EXPERIMENT.py")]
    """Python file that defines `experiment = Experiment(...)`."""
    workdir: Path | None = None
    """Run directory; runs/<name of the file> if not given."""
    seeds: str | None = None
    """Train several seeds in one program, each with its own run in WORKDIR/seed_<n>: 0:8 for 0 to
    7, or 0,3,5 for these three."""
    strategy: Annotated[Strategy, Needs("--seeds")] = "auto"
    """With --seeds: how they share the devices: sequentially, batched, or spread over them."""
    coordinator: str | None = None
    """Train with several processes: HOST:PORT of the first one. Not needed on SLURM and TPU
    pods."""
    processes: int | None = None
    """With --coordinator: the number of processes."""
    process_id: int | None = None
    """With --coordinator: the number of this process, from 0."""
    init_from: Path | None = None
    """Another run, from whose newest parameters training starts."""
    init_players: Annotated[Literal["both", "generator", "discriminator"], Needs("--init-from")] = (
        "both"
    )
    """With --init-from: whose parameters to take."""
    trust: Annotated[bool, Needs("--init-from")] = False
    """With --init-from: run the code that the other run names, and that is not part of gan_jax, now
    and in future. Only for code that you have read."""
    init_partial: Annotated[bool, Needs("--init-from")] = False
    """With --init-from: leave out parameters that have another shape, instead of refusing them."""
    accept_changes: bool = False
    """Resume even if settings of JAX have changed that change random draws, such as
    JAX_ENABLE_X64."""
    dry_run: bool = False
    """Print the resolved experiment, both networks and the memory of a step; train nothing."""
    experiment: Suppress[Any] = None
    """The experiment of `file`, with the fields that were overridden."""

    @restartable
    def run(self) -> int:
        """Trains; see `gan_jax.training.train`."""
        if self.experiment is None:
            raise RequestError(f"{self.file}: an experiment is a Python file, its name ends in .py")
        from gan_jax.runtime import devices, hosts
        from gan_jax.training import parallel_seeds

        seeds = None if self.seeds is None else parallel_seeds.parse(self.seeds)
        devices.configure()
        if self.dry_run:
            from gan_jax.training.dry_run import describe

            print(describe(self.experiment))
            return FINISHED
        hosts.join(self.coordinator, self.processes, self.process_id)
        from gan_jax.runs.trust import trust_directory
        from gan_jax.training.outcome import DivergedError, Outcome
        from gan_jax.training.pretrained import PLAYERS, InitFrom
        from gan_jax.training.train import train

        init_from = None
        if self.init_from:
            players = PLAYERS if self.init_players == "both" else (self.init_players,)
            if self.trust:
                for line in trust_directory(self.init_from):
                    announce(line)
            init_from = InitFrom(self.init_from, players, self.init_partial)
        if seeds is not None:
            parallel_seeds.use_cores(self.strategy, len(seeds))
            devices.use_one_heap()
        try:
            with hosts.ending_together(RequestError, DivergedError):
                outcome = train(
                    self.experiment,
                    self.workdir or Path("runs") / self.file.stem,
                    seeds=seeds,
                    strategy=self.strategy,
                    file=self.file,
                    init_from=init_from,
                    accept_changes=self.accept_changes,
                )
        except DivergedError as error:
            print(f"error: {error}", file=sys.stderr)
            return DIVERGED
        return FINISHED if outcome is Outcome.FINISHED else STOPPED


FORMS = (Train,)
