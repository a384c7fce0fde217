"""Checks of the arguments of metrics."""

from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from gan_jax.common.errors import RequestError


def check_features(name: str, features: Any, at_least: int) -> Float[np.ndarray, "n d"]:
    """Returns features, one row per sample, as an array of their own dtype.

    Raises:
        RequestError: they are not finite numbers of shape [n, d], or fewer than `at_least` samples;
            the message names the argument `name`.
    """
    features = np.asarray(features)
    if features.ndim != 2 or features.shape[1] == 0 or features.dtype.kind not in "fiu":
        raise RequestError(
            f"{name} has shape {features.shape} and dtype {features.dtype}: must be numbers of "
            "shape [samples, dimensions]"
        )
    if len(features) < at_least:
        raise RequestError(f"{name} holds {len(features)} samples: at least {at_least} are needed")
    finite = np.isfinite(features)
    if not finite.all():
        bad = np.count_nonzero(~finite.all(axis=1))
        raise RequestError(
            f"{name}: the features of {bad} of {len(features)} samples are NaN or infinite; all "
            "must be finite"
        )
    return features


def check_dimensions(**features: np.ndarray) -> None:
    """Checks that all features, given by name, have the same dimension.

    Raises:
        RequestError: the dimensions differ.
    """
    dimensions = {name: array.shape[-1] for name, array in features.items()}
    if len(set(dimensions.values())) > 1:
        found = ", ".join(f"{name} has {count}" for name, count in dimensions.items())
        raise RequestError(f"the dimensions of features differ ({found}): use one feature network")


def check_labels(name: str, labels: Any, classes: int) -> Integer[np.ndarray, " n"]:
    """Returns labels as an array.

    Raises:
        RequestError: they are not integers in [0, classes) of shape [n], or there are none; the
            message names the argument `name`.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or len(labels) == 0 or labels.dtype.kind not in "iu":
        raise RequestError(
            f"{name} has shape {labels.shape} and dtype {labels.dtype}: must be integers, one for "
            "each sample"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise RequestError(
            f"{name} run from {labels.min()} to {labels.max()}: with classes = {classes} they must "
            f"be in [0, {classes})"
        )
    return labels
