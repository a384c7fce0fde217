"""Measures the Frechet distance between two files of features once, in a process of its own.

    python benchmarks/peers/frechet.py PEER GENERATED.npy REAL.npy

Writes one line: distance, seconds for moments and distance, and the process's peak of resident
memory in MiB, with libraries and both arrays of features.
"""

import resource
import sys
import time
from collections.abc import Callable

import numpy as np


def ours() -> Callable[[np.ndarray, np.ndarray], float]:
    """Moments of both, and the distance."""
    from gan_jax.metrics import frechet

    return lambda *both: frechet.frechet_distance(*(frechet.moments([one]) for one in both))


def ours_with_interval() -> Callable[[np.ndarray, np.ndarray], float]:
    """Moments of both, the distance, and its interval."""
    from gan_jax.metrics import frechet

    return lambda generated, real: frechet.estimate(generated, frechet.moments([real])).value


def torch_fidelity() -> Callable[[np.ndarray, np.ndarray], float]:
    """Moments of both, and the distance."""
    import torch
    from torch_fidelity import metric_fid

    def distance(generated, real):
        statistics = [
            metric_fid.fid_features_to_statistics(torch.from_numpy(features))
            for features in (generated, real)
        ]
        found = metric_fid.fid_statistics_to_metric(*statistics, verbose=False)
        return found[metric_fid.KEY_METRIC_FID]

    return distance


PEERS = {
    "gan_jax": ours,
    "gan_jax, with interval": ours_with_interval,
    "torch-fidelity": torch_fidelity,
}


def main() -> None:
    name, *files = sys.argv[1:]
    distance = PEERS[name]()
    generated, real = (np.load(file) for file in files)
    distance(generated[:100, :50], real[:100, :50])  # starts the threads of the libraries
    start = time.perf_counter()
    value = distance(generated, real)
    seconds = time.perf_counter() - start
    print(value, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
