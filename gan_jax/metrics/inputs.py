"""Checks of what metrics are computed from, with messages that name the argument."""

from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from gan_jax.common.errors import RequestError


def check_features(name: str, features: Any, at_least: int) -> Float[np.ndarray, "n d"]:
    """Returns features, one row for each sample, as an array of the type they have.

    Raises:
        RequestError: not numbers of shape [n, d], NaN or infinite ones, or fewer than `at_least`
            samples.
    """
    features = np.asarray(features)
    if features.ndim != 2 or features.shape[1] == 0 or features.dtype.kind not in "fiu":
        raise RequestError(
            f"{name} has shape {features.shape} and type {features.dtype}: features are numbers of "
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
    """Checks that named features have the same dimension.

    Raises:
        RequestError: they do not.
    """
    dimensions = {name: array.shape[-1] for name, array in features.items()}
    if len(set(dimensions.values())) > 1:
        found = ", ".join(f"{name} has {count}" for name, count in dimensions.items())
        raise RequestError(f"features of different dimensions ({found}): use one feature network")


def check_labels(name: str, labels: Any, classes: int) -> Integer[np.ndarray, " n"]:
    """Returns labels as an array.

    Raises:
        RequestError: no labels, or not integers of shape [n] in [0, classes).
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or len(labels) == 0 or labels.dtype.kind not in "iu":
        raise RequestError(
            f"{name} has shape {labels.shape} and type {labels.dtype}: labels are integers, one "
            "for each sample"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise RequestError(
            f"{name} run from {labels.min()} to {labels.max()}: with classes = {classes} they must "
            f"be in [0, {classes})"
        )
    return labels
