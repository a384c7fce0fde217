"""`gan-jax sample`: draws samples from a trained generator."""

import dataclasses
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import Positional, arg

from gan_jax.cli.shared import OpensRuns, check_key, check_range, checkpoint_step
from gan_jax.common.errors import RequestError
from gan_jax.common.exit_codes import FINISHED

COLUMNS = 8  # samples from one end of a path to the other


@dataclasses.dataclass(frozen=True)
class Sample(OpensRuns):
    """Draw samples from a trained generator."""

    USAGE: ClassVar[str] = "sample RUN"

    directory: Annotated[Positional[Path], arg(metavar="RUN")]
    """Run directory."""
    count: int = 16
    """Number of samples; with --interpolate, number of paths."""
    seed: int | None = None
    """Which seed of the run; may be left out if it has only one."""
    step: str = "latest"
    """Which checkpoint: a step, best or latest."""
    key: int = 0
    """Random key of the latents: the same run, key and count give the same bytes."""
    raw: bool = False
    """Sample with the generator's current parameters instead of their moving average."""
    interpolate: bool = False
    """Interpolate between pairs of random latents, one row for each pair."""
    label: str | None = None
    """For a run with labels: name or number of the class to draw; all classes in rotation if not
    given."""
    truncation: float | None = None
    """Draw each number of a normal latent from within plus and minus this bound: better but less
    varied samples."""
    out: Path = Path("samples.png")
    """.png for a page of samples, .npz for samples with their latents, or a new folder for one file
    each."""

    def run(self) -> int:
        """Draws the samples and writes them; see `gan_jax.sampling`."""
        check_range("--count", self.count, 1)
        check_key("--key", self.key)
        step = checkpoint_step(self.step)
        import numpy as np

        from gan_jax import runs, sampling
        from gan_jax.runtime import devices

        samples = self.count * COLUMNS if self.interpolate else self.count
        devices.configure()
        self.admit(self.directory)
        run = runs.load(runs.one_seed(self.directory, self.seed), step)
        sampling.check_memory(run.experiment, samples, f"--count {self.count}", kept=True)
        sampling.check_file(run.experiment, self.out, samples)
        of_class = ""
        if self.label is None:
            labels = sampling.take_turns(run.experiment, self.count)
        else:
            names = run.class_names
            labels = sampling.of_class(run.experiment, self.label, self.count, names)
            of_class = f", class {names[labels[0]]},"
        if self.interpolate:
            if self.truncation is not None:
                raise RequestError("--interpolate uses untruncated latents: leave --truncation out")
            columns = COLUMNS
            latents = sampling.interpolate(run.experiment, self.key, self.count, columns)
            labels = None if labels is None else np.repeat(labels, columns)  # a path has one class
        else:
            columns = None
            latents = sampling.draw_latents(run.experiment, self.key, self.count, self.truncation)
        drawn = sampling.from_latents(run.experiment, run.state, latents, self.raw, labels)
        sampling.save(
            run.experiment, drawn, self.out, columns=columns, latents=latents, labels=labels
        )
        print(f"{len(drawn)} samples of step {run.state.step}{of_class} in {self.out}")
        return FINISHED


FORMS = (Sample,)
