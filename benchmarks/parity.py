"""How far two implementations are apart: what the parity scripts print."""

import numpy as np

Trace = dict[str, np.ndarray]  # by "group: tensor"


def report(expected: Trace, found: Trace, tolerance: float) -> bool:
    """Prints the largest error of every group; returns whether all are within the tolerance."""
    passed = True
    for group, (error, tensor) in worst_by_group(expected, found).items():
        within = error <= tolerance
        passed &= within
        mark = "" if within else f"  above {tolerance:g}"
        print(f"  {group:45} {error:8.1e}  {tensor}{mark}", flush=True)
    return passed


def worst_by_group(expected: Trace, found: Trace) -> dict[str, tuple[float, str]]:
    """Returns the largest error of each group, relative to its tensor's magnitude, and where."""
    if expected.keys() != found.keys():
        raise ValueError(f"names differ: {sorted(expected.keys() ^ found.keys())}")
    worst: dict[str, tuple[float, str]] = {}
    for name, array in expected.items():
        group, tensor = name.split(": ")
        if np.shape(array) != np.shape(found[name]):
            raise ValueError(f"{name} has shape {np.shape(array)} and {np.shape(found[name])}")
        error = np.abs(np.subtract(array, found[name])).max() / np.abs(array).max()
        error = float(np.nan_to_num(error, nan=np.inf))  # NaN is neither smaller nor larger
        worst[group] = max(worst.get(group, (0.0, "")), (error, tensor))
    return worst
