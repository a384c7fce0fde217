"""Measures what penalties and other remedies cost, relative to a step without any.

    PYTHONPATH=. python benchmarks/remedies.py

All take turns in one process, for networks of the reference's width with batches of 64 and of the
quickstart's width with batches of 32, without BatchNorm in the discriminator.
"""

import dataclasses
import statistics

import jax
import tyro
from seeds import QUICKSTART, in_turns, runner

from gan_jax.augmentation import DiffAugment
from gan_jax.experiment import Experiment
from gan_jax.penalties import R1, R2, Consistency, Dragan, GradientPenalty, Lazy, LeCam
from gan_jax.runs.serialisation import load_experiment
from gan_jax.runtime import devices

REMEDIES = {
    "nothing": {},
    "R1": {"penalties": (R1(1.0),)},
    "R1 at every 16th step": {"penalties": (Lazy(R1(1.0), every=16),)},
    "R1 and R2": {"penalties": (R1(1.0), R2(1.0))},
    "WGAN-GP": {"penalties": (GradientPenalty(10.0),)},
    "DRAGAN": {"penalties": (Dragan(10.0),)},
    "LeCam": {"penalties": (LeCam(0.3),)},
    "bCR": {"penalties": (Consistency(DiffAugment()),)},
    "DiffAugment": {"augmentations": (DiffAugment(),)},
    "spectral normalisation": {"spectral": True},
    "bfloat16": {"compute_dtype": "bfloat16"},
}


def main(rounds: int = 5, calls_of: int = 32) -> None:
    """Prints a table.

    Args:
        rounds: how often each is timed.
        calls_of: steps that are timed together.
    """
    base = load_experiment(QUICKSTART)
    print(f"{devices.cores()} cores, JAX {jax.__version__}; time of a step over that with nothing")
    for width, batch in ((64, 64), (32, 32)):
        discriminator = base.discriminator.clone(width=width, hidden=0, batch_norm=False)
        generator = base.generator.clone(width=width)
        plain = dataclasses.replace(
            base, generator=generator, discriminator=discriminator, batch_size=batch
        )
        runners = {
            name: runner(_changed(plain, of), "map", 1, calls_of) for name, of in REMEDIES.items()
        }
        times = in_turns(runners, rounds)
        print(f"\n| width {width}, batch {batch} | median ms | ratio, min to max |")
        print("|---|---|---|")
        for name, found in times.items():
            ratios = [ours / none for ours, none in zip(found, times["nothing"], strict=True)]
            spread = f"{statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}"
            milliseconds = 1000 * statistics.median(found) / calls_of
            print(f"| {name} | {milliseconds:.1f} | {spread} |", flush=True)


def _changed(experiment: Experiment, changes: dict) -> Experiment:
    if "spectral" in changes:
        changes = {"discriminator": experiment.discriminator.clone(**changes)}
    return dataclasses.replace(experiment, **changes)


if __name__ == "__main__":
    tyro.cli(main)
