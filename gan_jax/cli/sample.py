"""`gan-jax sample`: draws samples from a trained generator, and shows how they came about."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from tyro.conf import Positional, arg

from gan_jax.cli.parsing import Command, options_of
from gan_jax.cli.shared import OpensRuns, announce, check_key, check_range, checkpoint_step
from gan_jax.common.errors import RequestError
from gan_jax.common.exit_codes import FINISHED
from gan_jax.common.validation import is_number

if TYPE_CHECKING:  # JAX, which takes seconds to import
    import numpy as np

    from gan_jax.runs import Run

COLUMNS = 8  # samples from one end of a path to the other
FRAMES = 60  # of an animation


@dataclasses.dataclass(frozen=True)
class Sample(OpensRuns):
    """Draw samples from a trained generator."""

    USAGE: ClassVar[str] = "sample RUN"

    directory: Annotated[Positional[Path], arg(metavar="RUN")]
    """Run directory."""
    count: int = 16
    """Number of samples; with --interpolate, number of paths; of an animation, on each page."""
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
    keys: str | None = None
    """Of an animation: random keys whose samples turn into one another, 3,8,13 for example, and
    back to the first in the end; --key and the two after it if not given."""
    frames: int | None = None
    """Of an animation: number of pages, 60 if not given."""
    label: str | None = None
    """For a run with labels: name or number of the class to draw; all classes in rotation if not
    given."""
    data_labels: bool = False
    """For a run with labels: draw classes as often as the data have them, as evaluate does."""
    truncation: float | None = None
    """Draw each number of a normal latent from within plus and minus this bound: better but less
    varied samples."""
    as_stored: bool = False
    """Into .npz: only the samples, as the data store them (images as pixels of type uint8), in
    arr_0, and labels in arr_1, for other projects' evaluators."""
    out: Path = Path("samples.png")
    """.png for a page of samples, .gif for an animation, .npz for samples with their latents, or a
    new folder for one file each; of sound also .wav and .html, of text .txt and .jsonl."""

    @classmethod
    def fits(cls, words: Sequence[str]) -> bool:
        """Whether no film is asked for."""
        return "film" not in options_of(words)

    def run(self) -> int:
        """Draws the samples and writes them; see `gan_jax.sampling`."""
        check_range("--count", self.count, 1)
        check_key("--key", self.key)
        step = checkpoint_step(self.step)
        keys, frames = self._walk()
        self._check_together()
        import numpy as np

        from gan_jax import runs, sampling
        from gan_jax.runtime import devices

        of_each = COLUMNS if self.interpolate else frames
        count = self.count * of_each
        devices.configure()
        self.admit(self.directory)
        run = runs.load(runs.one_seed(self.directory, self.seed), step)
        experiment = run.experiment
        runs.check_fitted(run)
        in_memory = self._is_animation or self.out.suffix.lower() == ".png"
        name = f"--count {self.count}" + (f", --frames {frames}" if keys else "")
        sampling.check_memory(experiment, count, name, kept=in_memory)
        sampling.check_file(experiment, self.out, count, as_stored=self.as_stored)
        labels, of_class = self._labels(run)
        columns = None
        if self.interpolate:
            columns = COLUMNS
            latents = sampling.interpolate(experiment, self.key, self.count, columns)
            labels = None if labels is None else np.repeat(labels, columns)  # a path has one class
        elif keys:
            latents = sampling.walk(experiment, keys, self.count, frames).reshape(count, -1)
            labels = None if labels is None else np.tile(labels, frames)
        else:
            latents = sampling.draw_latents(experiment, self.key, self.count, self.truncation)
        sampling.save_parts(
            experiment,
            sampling.in_parts(experiment, run.state, latents, self.raw, labels),
            self.out,
            count=count,
            columns=columns,
            frames=frames,
            latents=latents,
            labels=labels,
            class_names=run.class_names,
            as_stored=self.as_stored,
        )
        pages = f"{frames} pages of " if keys else ""
        drawn = count // frames
        print(f"{pages}{drawn} samples of step {run.state.step}{of_class} in {self.out}")
        return FINISHED

    @property
    def _is_animation(self) -> bool:
        return self.out.suffix.lower() == ".gif"

    def _walk(self) -> tuple[tuple[int, ...], int]:
        """The keys and the number of pages of an animation; (), 1 for anything else."""
        if not self._is_animation:
            for option, value in (("--keys", self.keys), ("--frames", self.frames)):
                if value is not None:
                    raise RequestError(f"{option} {value}: is for animations, --out walk.gif")
            return (), 1
        words = [str(self.key + i) for i in range(3)] if self.keys is None else self.keys.split(",")
        if len(words) < 2 or not all(map(is_number, map(str.strip, words))):
            raise RequestError(f"--keys {self.keys}: give two or more, 3,8,13 for example")
        keys = tuple(map(int, words))
        for key in keys:
            check_key("--keys", key)
        frames = FRAMES if self.frames is None else self.frames
        check_range("--frames", frames, len(keys))
        return keys, frames

    def _check_together(self) -> None:
        """Refuses options that contradict each other."""
        if self._is_animation and self.interpolate:
            raise RequestError("--interpolate makes a page: leave it out for an animation")
        if (self._is_animation or self.interpolate) and self.truncation is not None:
            which = "an animation" if self._is_animation else "--interpolate"
            raise RequestError(f"{which} uses untruncated latents: leave --truncation out")
        if self.as_stored and self.out.suffix.lower() != ".npz":
            raise RequestError(f"--as-stored: is for .npz files, not for --out {self.out}")
        if self.data_labels and self.label is not None:
            raise RequestError("--data-labels and --label: give one of the two")

    def _labels(self, run: "Run") -> tuple["np.ndarray | None", str]:
        """The classes to draw, one for each sample or path, and in words where it is only one."""
        from gan_jax import sampling

        if self.label is not None:
            names = run.class_names
            labels = sampling.of_class(run.experiment, self.label, self.count, names)
            return labels, f", class {names[labels[0]]},"
        if not self.data_labels:
            classes = len(run.class_names)
            return sampling.take_turns(run.experiment, self.count, classes), ""
        labels = sampling.draw_labels(run.experiment, self.key, self.count)
        if labels is None:
            raise RequestError("--data-labels: the run was trained without labels")
        return labels, ""


@dataclasses.dataclass(frozen=True)
class Film(Command):
    """Show how a run has learned: the pages that it made while it trained, one after another."""

    USAGE: ClassVar[str] = "sample RUN --film"

    directory: Annotated[Positional[Path], arg(metavar="RUN")]
    """Run directory."""
    film: bool = False
    """Make an animation of the pages in samples/, instead of drawing samples."""
    seed: int | None = None
    """Which seed of the run; may be left out if it has only one."""
    out: Path = Path("film.gif")
    """.gif file."""

    @classmethod
    def fits(cls, words: Sequence[str]) -> bool:
        """Whether --film is given."""
        return "film" in options_of(words)

    def run(self) -> int:
        """Reads the pages and writes the animation; see `sampling.save_film`."""
        from gan_jax import runs, sampling

        directory = runs.RunDirectory(runs.one_seed(self.directory, self.seed))
        pages = sampling.save_film(directory, self.out, announce)
        print(f"{pages} pages in {self.out}")
        return FINISHED


FORMS = (Sample, Film)
