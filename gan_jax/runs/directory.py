"""The layout of a run directory."""

import dataclasses
from pathlib import Path

CONFIG = "config.json"  # what a run was started with
SWEEP = "sweep.json"  # the plan of a sweep, in its directory
CONFIGURATIONS = "settings"  # key of the encoded experiments in that file, by name
SEED_PREFIX = "seed_"  # of the folder of each run, in a directory of several seeds


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """The paths of a run's files; nothing is read or created.

    Attributes:
        path: the run directory itself.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The resolved experiment, the file it came from, and the versions it ran with."""
        return self.path / CONFIG

    @property
    def metrics(self) -> Path:
        """Metrics of training, one JSON object a line: step, seed, then named scalars."""
        return self.path / "metrics.jsonl"

    @property
    def evaluation(self) -> Path:
        """Evaluations, one JSON object a line: one metric at one step, see `evaluation.rows`."""
        return self.path / "evaluation.jsonl"

    @property
    def recognition(self) -> Path:
        """Accuracies of classifiers, in lines like those of evaluations, for each class as well."""
        return self.path / "recognition.jsonl"

    @property
    def divergence(self) -> Path:
        """When and why one of several seeds diverged: {step, reason}."""
        return self.path / "diverged.json"

    @property
    def failure(self) -> Path:
        """Why a configuration of a sweep could not be trained: {reason, traceback}."""
        return self.path / "failed.json"

    @property
    def seconds(self) -> Path:
        """How long training took up to the last save: {step, seconds}.

        Runs that are trained in one program divide its time equally.
        """
        return self.path / "seconds.json"

    @property
    def log(self) -> Path:
        """The messages of the terminal, with times."""
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
        """Folder of pictures of the generator's samples."""
        return self.path / "samples"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's files, where tensorboardX is installed."""
        return self.path / "tensorboard"

    @property
    def final_picture(self) -> Path:
        """A 4 x 4 grid of samples from the trained generator."""
        return self.samples / "final.png"

    @property
    def film_strip(self) -> Path:
        """How the samples of eight fixed latents change over training.

        The steps stand below, and for data with labels the classes beside the rows.
        """
        return self.samples / "film_strip.png"

    def step_picture(self, step: int) -> Path:
        """The grid of samples from fixed latents at one step."""
        return self.samples / f"step_{step}.png"

    def step_pictures(self) -> dict[int, Path]:
        """The existing grids by step, in order of the steps."""
        steps = {p.stem.removeprefix("step_"): p for p in self.samples.glob("step_*.png")}
        return dict(sorted((int(step), p) for step, p in steps.items() if step.isdecimal()))

    def of_seed(self, seed: int) -> "RunDirectory":
        """The run directory of one of several seeds."""
        return RunDirectory(self.path / f"{SEED_PREFIX}{seed}")

    def seeds(self) -> list[int]:
        """The seeds whose runs are in this directory, in order."""
        names = [path.parent.name for path in self.path.glob(f"{SEED_PREFIX}*/config.json")]
        numbers = [name.removeprefix(SEED_PREFIX) for name in names]
        return sorted(int(number) for number in numbers if number.isdecimal())

    @property
    def lock(self) -> Path:
        """A lock file, held while a process trains here."""
        return self.path / ".lock"
