"""Labels: which of them are classes, and what these are called; the same for every source.

Labels are for classes, each of which many examples have. Ids and time stamps differ from example
to example. Where they do, the examples count as unlabelled, and whoever needs labels is told why.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Int, Int32, Shaped

from gan_jax.data.sources.base import Examples

# So many classes are never questioned, and labels below this are numbers of classes, whether or not
# all of them occur: a part of ImageNet keeps its numbers.
USUAL = 1000
_IDS = (
    "{:,} examples have {:,} different labels{}: fewer than two each, as ids and time stamps "
    "have, and classes do not"
)

Samples = Shaped[np.ndarray, "number ..."]  # as stored


def of_names(
    sample: Samples, label: Int32[np.ndarray, " number"], names: tuple[str, ...]
) -> Examples:
    """Returns examples whose classes have names.

    Args:
        sample: the examples.
        label: position in `names` of the class of each.
        names: of the classes.
    """
    distinct = len(np.unique(label))
    if distinct > USUAL and _too_many(distinct, len(label)):
        return Examples(sample, None, (), _IDS.format(len(label), distinct, ""))
    return Examples(sample, label, names)


def of_numbers(
    sample: Samples,
    numbers: Int[np.ndarray, " number"],
    name: Callable[[int], str] = str,
) -> Examples:
    """Returns examples whose classes have numbers.

    Numbers from 0 on, most of which occur, are those of the classes. Others are numbered anew in
    their order, so that there are as many classes as different numbers.

    Args:
        sample: the examples.
        numbers: the label of each.
        name: what the class of a number is called.
    """
    found, positions = np.unique(numbers, return_inverse=True)
    least, largest, distinct = int(found[0]), int(found[-1]), len(found)
    if least < 0:
        reason = f"labels go from {least} to {largest}, and those below 0 mark withheld ones"
        return Examples(sample, None, (), f"{reason}: number the classes from 0 on")
    far_apart = largest >= max(USUAL, 2 * distinct)
    if (far_apart or distinct > USUAL) and _too_many(distinct, len(numbers)):
        reason = _IDS.format(len(numbers), distinct, f", from {least} to {largest}")
        return Examples(sample, None, (), f"{reason}; number the classes from 0 on")
    if far_apart:
        names = tuple(name(int(number)) for number in found)
        return Examples(sample, positions.astype(np.int32), names)
    return Examples(sample, numbers.astype(np.int32), tuple(map(name, range(largest + 1))))


def _too_many(distinct: int, count: int) -> bool:
    """Whether there are fewer than two examples for each label."""
    return 2 * distinct > count
