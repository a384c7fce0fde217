"""`gan-jax health`: how the training of a run is going."""

import dataclasses
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import Positional, arg

from gan_jax.cli.shared import OpensRuns
from gan_jax.common.exit_codes import FINISHED


@dataclasses.dataclass(frozen=True)
class Health(OpensRuns):
    """Say how the training of a run is going, and what may help."""

    USAGE: ClassVar[str] = "health RUN"

    directory: Annotated[Positional[Path], arg(metavar="RUN")]
    """Run directory."""
    seed: int | None = None
    """Which seed of the run; all if not given."""

    def run(self) -> int:
        """Describes each seed; see `gan_jax.health.rules`."""
        from gan_jax import runs
        from gan_jax.health.rules import describe

        self.admit(self.directory)
        chosen = runs.all_seeds(self.directory, self.seed)
        for path in chosen:
            if len(chosen) > 1:
                print(f"{path.name}:")
            print(describe(path))
        return FINISHED


FORMS = (Health,)
