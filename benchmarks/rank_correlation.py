"""Whether two scores put checkpoints into the same order: their rank correlation.

    gan-jax evaluate runs/a runs/b --step 2000
    gan-jax recognise runs/a runs/b --step 2000
    python benchmarks/rank_correlation.py runs/a/seed_* runs/b/seed_*

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
from gan_jax.runs import open_directory

DRAWS = 9999  # permutations


def main(
    paths: Annotated[Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN ...")],
    /,
    *,
    first: str = "frechet_distance",
    second: str = "gan_train",
) -> None:
    """Prints the points and the correlation.

    Args:
        paths: runs of one seed each.
        first: metric of `gan-jax evaluate`.
        second: metric of `gan-jax recognise`.
    """
    points = []
    print(f"| run | step | {first} | {second} |\n|---|---|---|---|")
    for path in paths:
        try:
            directory, experiment = open_directory(path)
        except RequestError as error:
            sys.exit(str(error))
        sampled = "ema" if experiment.ema_decay else "raw"
        evaluated = _by_step(read_rows(directory.evaluation), first, sampled)
        recognised = _by_step(read_rows(directory.recognition), second, sampled)
        for step in sorted(evaluated.keys() & recognised.keys()):
            pair = evaluated[step], recognised[step]
            points.append(pair)
            print(f"| {path} | {step:,} | {pair[0]:.3g} | {pair[1]:.3g} |")
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


def _by_step(rows: list[Row], metric: str, sampled: str) -> dict[int, float]:
    """Returns the newest value at each step, of all classes together."""
    return {
        row["step"]: row["value"]
        for row in rows
        if row["metric"] == metric and row.get("parameters") == sampled and "class" not in row
    }


if __name__ == "__main__":
    tyro.cli(main)
