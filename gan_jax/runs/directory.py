"""A run directory: which file lies where."""

import dataclasses
from pathlib import Path

SWEEP = "sweep.json"  # the plan of a sweep, in its directory


SEED_PREFIX = "seed_"  # of the runs in a directory of several seeds


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """Where the files of a run are."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved experiment, where it came from, and the versions it ran with."""
        return self.path / "config.json"

    @property
    def metrics(self) -> Path:
        """One JSON object a line: step, seed, then named scalars."""
        return self.path / "metrics.jsonl"

    @property
    def evaluation(self) -> Path:
        """One JSON object a line: one metric of one step, see `evaluation.lines`."""
        return self.path / "evaluation.jsonl"

    @property
    def divergence(self) -> Path:
        """The step at which one of several seeds diverged, and how it showed; {step, reason}."""
        return self.path / "diverged.json"

    @property
    def failure(self) -> Path:
        """Why a setting of a sweep could not be trained; {reason, traceback}."""
        return self.path / "failed.json"

    @property
    def seconds(self) -> Path:
        """How long training took up to the last save: {step, seconds}.

        Of runs that train in one program each has its equal share.
        """
        return self.path / "seconds.json"

    @property
    def log(self) -> Path:
        """What was said on the terminal, with times."""
        return self.path / "log.txt"

    @property
    def checkpoints(self) -> Path:
        """One folder for each saved step."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The checkpoint with the best value of the experiment's best_metric, as <step>/."""
        return self.path / "best"

    @property
    def samples(self) -> Path:
        """Pictures of what the generator makes."""
        return self.path / "samples"

    @property
    def final_picture(self) -> Path:
        """A grid of 4 x 4 samples of the trained generator."""
        return self.samples / "final.png"

    @property
    def film_strip(self) -> Path:
        """How the samples of eight fixed latents changed over training, with steps below."""
        return self.samples / "film_strip.png"

    def step_picture(self, step: int) -> Path:
        """The grid of samples from fixed latents at one step."""
        return self.samples / f"step_{step}.png"

    def step_pictures(self) -> dict[int, Path]:
        """All grids that are there, by step and in order."""
        steps = {p.stem.removeprefix("step_"): p for p in self.samples.glob("step_*.png")}
        return dict(sorted((int(step), p) for step, p in steps.items() if step.isdecimal()))

    def of_seed(self, seed: int) -> "RunDirectory":
        """Where one of several seeds that are trained together has its run."""
        return RunDirectory(self.path / f"{SEED_PREFIX}{seed}")

    def seeds(self) -> list[int]:
        """The seeds that have a run of their own in here."""
        names = [path.parent.name for path in self.path.glob(f"{SEED_PREFIX}*/config.json")]
        numbers = [name.removeprefix(SEED_PREFIX) for name in names]
        return sorted(int(number) for number in numbers if number.isdecimal())

    @property
    def lock(self) -> Path:
        """Held while a process trains here."""
        return self.path / ".lock"
