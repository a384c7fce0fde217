"""`gan-jax compare`: configurations side by side."""

import dataclasses
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import Positional, arg

from gan_jax.cli.shared import OpensRuns, announce, check_out
from gan_jax.common.errors import RequestError
from gan_jax.common.exit_codes import FINISHED
from gan_jax.common.files import write_atomically


@dataclasses.dataclass(frozen=True)
class Compare(OpensRuns):
    """Compare configurations by each metric over seeds, and say which differ from the best.

    Evaluate all of them first, with equal --samples and --features; those that were not evaluated
    are left out. What `gan-jax recognise` measured without --per-class or --balance is a table of
    its own.
    """

    USAGE: ClassVar[str] = "compare DIR ..."

    directories: Annotated[Positional[tuple[Path, ...]], arg(metavar="DIR ...")]
    """Directories of several seeds each, as written by `gan-jax train --seeds`, or of sweeps."""
    out: Path | None = None
    """.csv file to which the table is also written."""

    def run(self) -> int:
        """Prints the comparison; see `gan_jax.evaluation.compare`."""
        if not self.directories:
            raise RequestError("give at least one directory of seeds")
        out = check_out(self.out, ".csv") if self.out else None
        from gan_jax.evaluation.compare import compare, kinds_measured
        from gan_jax.reports import csv, terminal
        from gan_jax.sweeps import plan

        self.admit(*self.directories)
        found = [path for directory in self.directories for path in plan.directories(directory)]
        tables, failed = [], []
        for kind in kinds_measured(found):
            try:
                tables.append(compare(found, kind))
            except RequestError as error:
                failed.append(error)
        for error in failed:
            if not tables:
                raise error
            announce(f"warning: left out: {error}")
        for basis, comparisons in tables:
            terminal.show_comparisons(basis, comparisons)
        if out:
            write_atomically(out, csv.to_csv(tables).encode(errors="surrogateescape"))
        return FINISHED


FORMS = (Compare,)
