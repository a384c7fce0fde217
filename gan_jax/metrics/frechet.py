"""Frechet distance between the Gaussians fitted to two sets of features, in float64."""

import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy  # which imports its parts when they are used
from jaxtyping import Float, Float64

from gan_jax.common.errors import RequestError
from gan_jax.metrics.estimate import Estimate, from_standard_error
from gan_jax.metrics.inputs import check_dimensions, check_features

ROWS = 1024  # samples that are processed at a time
SHORT = 1e-6  # of the largest singular value: smaller ones are computed in a second pass


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean and covariance of a set of features.

    Attributes:
        count: number of samples.
        mean: mean feature, [d].
        covariance: unbiased covariance, with the divisor count - 1, [d, d].
    """

    count: int
    mean: Float64[np.ndarray, " d"]
    covariance: Float64[np.ndarray, "d d"]


def moments(batches: Iterable[Float[np.ndarray, "n d"]]) -> Moments:
    """Computes the moments of features that come in batches of any size, in O(d^2) memory.

    Each block is centred on its own mean and merged with those before by the update of Chan, Golub
    and LeVeque (1983), so that a mean far from zero costs no precision.

    Raises:
        RequestError: the features are not finite, differ in dimension, or are fewer than two.
    """
    count, mean, scatter = 0, None, None
    for batch in batches:
        batch = check_features("features", batch, at_least=0)
        if mean is None:
            mean = np.zeros(batch.shape[1])
            scatter = np.zeros((len(mean), len(mean)))
        check_dimensions(one_batch=mean, another=batch)
        for block in _blocks(batch):
            block_mean = block.mean(axis=0)
            shift = block_mean - mean
            weight = len(block) / (count + len(block))
            # A further row includes the scatter between the two means in the same product.
            rows = np.vstack([block - block_mean, math.sqrt(count * weight) * shift])
            scatter += rows.T @ rows
            mean += weight * shift
            count += len(block)
    if count < 2:
        raise RequestError(f"features of {count} samples: a covariance needs at least 2")
    return Moments(count, mean, scatter / (count - 1))


def frechet_distance(first: Moments, second: Moments) -> float:
    """Squared distance |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) between two Gaussians.

    Dowson and Landau (1982); Heusel et al. (2017), equation 6. The distance between finite samples
    is biased upwards, the more the fewer samples there are: compare only distances of the same
    number of samples.

    Raises:
        RequestError: the features have different dimensions.
    """
    _check_pair(first, second)
    product = _root(first.covariance)[0].T @ _root(second.covariance)[0]
    return _distance(first, second, scipy.linalg.svdvals(product))


def estimate(
    features: Float[np.ndarray, "n d"], real: Moments, generated: Moments | None = None
) -> Estimate:
    """Frechet distance between generated features and the moments of real ones.

    The interval is for the distance of another n generated samples, with `real` held fixed; it has
    the same bias for n samples as the value. Its standard error is that of the infinitesimal
    jackknife (Jaeckel, 1972): one sample x moves the distance by 1/n of
    2 (m - m_r)'(x - m) + (x - m)'(I - T)(x - m), minus the mean of that, where T is the optimal
    transport map from the generated Gaussian to the real one (Dowson and Landau, 1982): the
    derivative of tr (S S_r)^(1/2) with respect to S is T / 2.

    Args:
        features: features of generated samples.
        real: moments of the features of real samples.
        generated: moments of a larger set of generated samples, of which `features` are a random
            subset that serves for the interval only; None for the moments of `features`.

    Raises:
        RequestError: the features are not finite, differ in dimension, or are fewer than two.
    """
    features = check_features("features", features, at_least=2)
    generated = generated or moments([features])
    _check_pair(generated, real)
    root, leading = _root(generated.covariance)
    left, singular = _left_singular(root.T @ _root(real.covariance)[0])
    # T = R'^-1 left diag(singular) left' R^-1 with the root R. A sample is R z, where the leading
    # coordinates determine z, even if S is singular.
    to_transported = np.zeros((len(generated.mean), len(singular)))
    to_transported[leading] = scipy.linalg.solve_triangular(
        root[leading], left * np.sqrt(singular), lower=True, trans="T"
    )
    influences = []
    for block in _blocks(features):
        centred = block - generated.mean
        influence = 2 * centred @ (generated.mean - real.mean) + np.square(centred).sum(axis=1)
        influences.append(influence - np.square(centred @ to_transported).sum(axis=1))
    standard_error = np.concatenate(influences).std(ddof=1) / math.sqrt(generated.count)
    value = _distance(generated, real, singular)
    return from_standard_error(value, standard_error).clipped(low=0.0)


def _blocks(features: Float[np.ndarray, "n d"]) -> Iterator[Float64[np.ndarray, "rows d"]]:
    for start in range(0, len(features), ROWS):
        yield features[start : start + ROWS].astype(np.float64)


def _check_pair(first: Moments, second: Moments) -> None:
    check_dimensions(first=first.mean, second=second.mean)
    fewest, dimension = min(first.count, second.count), len(first.mean)
    if fewest <= dimension:
        logging.getLogger(__name__).warning(
            "Frechet distance of %d samples with features of %d dimensions: the covariance is "
            "singular and the distance biased upwards; use more than %d samples, ideally several "
            "times as many",
            fewest,
            dimension,
            dimension,
        )


def _root(
    covariance: Float64[np.ndarray, "d d"],
) -> tuple[Float64[np.ndarray, "d rank"], np.ndarray]:
    """Returns a matrix R with R R' = covariance, and the rows in which it is lower triangular.

    This is Cholesky's decomposition with pivoting, which finds the rank of a singular covariance
    (Higham, 1990); pivots below d rounding errors of the largest variance count as zero.
    """
    factor, pivots, rank, _ = scipy.linalg.lapack.dpstrf(covariance, lower=1)
    pivots = pivots - 1
    root = np.empty((len(covariance), rank))
    root[pivots] = np.tril(factor)[:, :rank]
    return root, pivots[:rank]


def _left_singular(
    matrix: Float64[np.ndarray, "rows columns"],
) -> tuple[Float64[np.ndarray, "rows rows"], Float64[np.ndarray, " rows"]]:
    """Returns left singular vectors, and singular values padded with zeros to as many.

    They come from the eigenvectors of the symmetric square, in half the time of a full
    decomposition. Square roots of its eigenvalues would lose half the digits; the lengths of the
    rows in the new axes do not, except those so small that rounding turns their axes towards the
    axes of long rows.
    """
    _, left = scipy.linalg.eigh(matrix @ matrix.T)
    rows = left.T @ matrix
    lengths = np.linalg.norm(rows, axis=1)
    short = lengths < SHORT * lengths.max(initial=0.0)
    if short.any():
        axes = rows[~short] / lengths[~short, None]
        rest = rows[short] - rows[short] @ axes.T @ axes
        lengths[short] = 0
        found = scipy.linalg.svdvals(rest)
        lengths[np.flatnonzero(short)[: len(found)]] = found
    return left, lengths


def _distance(first: Moments, second: Moments, singular: Float64[np.ndarray, " rank"]) -> float:
    """Returns the distance, given the singular values of R1' R2, which sum to tr (S1 S2)^(1/2)."""
    difference = first.mean - second.mean
    traces = np.trace(first.covariance) + np.trace(second.covariance)
    # Rounding may move the distance of a Gaussian from itself slightly below zero.
    return max(0.0, float(difference @ difference + traces - 2 * singular.sum()))
