"""`gan-jax score`: what the discriminator of a run thinks of files."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import Positional, arg

from gan_jax.cli.shared import OpensRuns, check_range, checkpoint_step
from gan_jax.common.errors import RequestError
from gan_jax.common.exit_codes import FINISHED


@dataclasses.dataclass(frozen=True)
class Score(OpensRuns):
    """Print the discriminator's probability of being real for image files, or lines of text."""

    USAGE: ClassVar[str] = "score RUN IMAGE ..."

    directory: Annotated[Positional[Path], arg(metavar="RUN")]
    """Run directory."""
    images: Annotated[Positional[tuple[Path, ...]], arg(metavar="IMAGE ...")]
    """Image files, or folders of them, scaled and cropped to the size of the run's images; of a run
    on sound recordings, of one on text .txt or .jsonl files."""
    seed: int | None = None
    """Which seed of the run; may be left out if it has only one."""
    step: str = "latest"
    """Which checkpoint: a step, best or latest."""
    label: str | None = None
    """For a run with labels: name or number of the class of all of the samples."""
    most_pixels: int | None = None
    """A file with more pixels, samples or characters is refused; 67,108,864 pixels or samples, or
    16,777,216 characters, if not given."""

    def run(self) -> int:
        """Prints a line for each file: its probability, in [0, 1], and its path."""
        if not self.images:
            raise RequestError("give at least one file to score")
        step = checkpoint_step(self.step)
        if self.most_pixels is not None:
            check_range("--most-pixels", self.most_pixels, 1)
        from gan_jax import runs, sampling
        from gan_jax.losses import gives_log_odds
        from gan_jax.runtime import devices

        devices.configure()
        self.admit(self.directory)
        run = runs.load(runs.one_seed(self.directory, self.seed), step)
        runs.check_fitted(run)
        if run.experiment.data.labels and self.label is None:
            raise RequestError(
                "the run was trained with labels: give the class of the samples with --label"
            )
        files = run.experiment.data.read(self.images, self.most_pixels)
        labels = None
        if self.label is not None:
            count, names = len(files.names), run.class_names
            labels = sampling.of_class(run.experiment, self.label, count, names)
        if not gives_log_odds(run.experiment.loss):
            loss = type(run.experiment.loss).__name__
            meaning = "the sigmoid of a logit ranks samples, but is not a probability"
            print(f"the loss is {loss}: {meaning}", file=sys.stderr)
        probabilities = sampling.probability_real(run.experiment, run.state, files.samples, labels)
        for name, probability in zip(files.names, probabilities, strict=True):
            print(f"{probability:.4f}  {name}")
        return FINISHED


FORMS = (Score,)
