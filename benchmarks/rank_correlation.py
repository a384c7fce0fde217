"""Whether two scores put checkpoints into the same order: their rank correlation.

    gan-jax evaluate runs/a --step 2000
    gan-jax recognise runs/a --step 2000
    python benchmarks/rank_correlation.py runs/a runs/b

Each checkpoint that both commands have measured, of the parameters that are sampled from, is a
point. Printed are the points, Spearman's (1904) rank correlation of the first score with the
second, and its two-sided p-value for no relation (a permutation test; as checkpoints of a run are
alike, it is too small where there are several of each). A distance falls where an accuracy rises,
so that the correlation of two scores that agree is then near -1.
"""

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from scipy import stats
from tyro.conf import Positional

from gan_jax.common.errors import RequestError
from gan_jax.evaluation.rows import Row, read_rows
from gan_jax.runs import all_seeds, open_directory
from gan_jax.sweeps import plan

DRAWS = 9999  # permutations
BASIS = ("features", "features_sha256", "drawn")  # how a row has been measured


def main(
    paths: Annotated[Positional[tuple[Path, ...]], tyro.conf.arg(metavar="DIR ...")],
    /,
    *,
    first: str = "frechet_distance",
    second: str = "gan_train",
    key: int = 0,
) -> None:
    """Prints the points and the correlation.

    Args:
        paths: runs, directories of seeds, or sweeps.
        first: metric of `gan-jax evaluate`.
        second: metric of `gan-jax recognise`.
        key: which both commands were given.
    """
    points, bases = [], set()
    print(f"| run | step | {first} | {second} |\n|---|---|---|---|")
    try:
        found = [
            run for path in paths for each in plan.directories(path) for run in all_seeds(each)
        ]
        for path in found:
            directory, experiment = open_directory(path)
            sampled = {"parameters": "ema" if experiment.ema_decay else "raw", "key": key}
            evaluated = _by_step(read_rows(directory.evaluation), sampled | {"metric": first})
            recognised = _by_step(read_rows(directory.recognition), sampled | {"metric": second})
            for step in sorted(evaluated.keys() & recognised.keys()):
                pair = evaluated[step], recognised[step]
                bases.add(tuple(row.get(name) for row in pair for name in BASIS))
                points.append([row["value"] for row in pair])
                print(f"| {path} | {step:,} | {points[-1][0]:.3g} | {points[-1][1]:.3g} |")
    except RequestError as error:
        sys.exit(str(error))
    if len(bases) > 1:
        sys.exit(f"measured in several ways ({', '.join(BASIS)}): {sorted(bases, key=str)}")
    if len(points) < 3:
        sys.exit(f"{len(points)} checkpoints have {first} and {second}: at least 3 are needed")
    one, other = np.array(points).T
    found = stats.permutation_test(
        (one,),
        lambda values: stats.spearmanr(values, other).statistic,
        permutation_type="pairings",
        n_resamples=DRAWS,
        rng=np.random.default_rng(0),
    )
    p_value = f"p = {found.pvalue:.2g}"
    print(f"rank correlation {found.statistic:.2f} over {len(points)} checkpoints, {p_value}")


def _by_step(rows: list[Row], fields: dict[str, str | int]) -> dict[int, Row]:
    """Returns the newest row at each step that has these fields, of all classes together."""
    return {
        row["step"]: row
        for row in rows
        if fields.items() <= row.items() and "class" not in row and row["value"] is not None
    }


if __name__ == "__main__":
    tyro.cli(main)
