"""Frechet distance between the Gaussians that fit two sets of features, in float64."""

import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64
from scipy import linalg

from gan_jax.common.errors import RequestError
from gan_jax.metrics.estimate import Estimate, from_standard_error
from gan_jax.metrics.inputs import check_dimensions, check_features

ROWS = 1024  # samples that are worked on at a time
SHORT = 1e-6  # of the greatest singular value: those below are found in a second pass


@dataclass(frozen=True, eq=False)
class Moments:
    """What the Frechet distance needs to know of a set of features.

    Attributes:
        count: number of samples.
        mean: mean feature.
        covariance: unbiased covariance, with the divisor count - 1.
    """

    count: int
    mean: Float64[np.ndarray, " d"]
    covariance: Float64[np.ndarray, "d d"]


def moments(batches: Iterable[Float[np.ndarray, "n d"]]) -> Moments:
    """Gathers the moments of features that come in batches of any sizes; memory is O(d^2).

    Each block is centred on its own mean and joined to those before by the update of Chan, Golub
    and LeVeque (1983), so that a mean far from zero costs no digits.

    Raises:
        RequestError: features that are not finite or change their dimension, or fewer than two.
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
            # One more row takes the scatter of the two means into the same product.
            rows = np.vstack([block - block_mean, math.sqrt(count * weight) * shift])
            scatter += rows.T @ rows
            mean += weight * shift
            count += len(block)
    if count < 2:
        raise RequestError(f"features of {count} samples: a covariance needs at least 2")
    return Moments(count, mean, scatter / (count - 1))


def frechet_distance(first: Moments, second: Moments) -> float:
    """Squared distance |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) between two Gaussians.

    Dowson and Landau (1982); Heusel et al. (2017), equation 6. The distance between
    finite samples is biased upwards, by more the fewer samples there are: compare distances of
    the same sample count only.

    Raises:
        RequestError: the features have different dimensions.
    """
    _check_pair(first, second)
    product = _root(first.covariance)[0].T @ _root(second.covariance)[0]
    return _distance(first, second, linalg.svdvals(product))


def estimate(
    features: Float[np.ndarray, "n d"], real: Moments, generated: Moments | None = None
) -> Estimate:
    """Frechet distance of generated features to the moments of real ones, with its interval.

    The interval says how far another n generated samples would lie, with `real` held fixed; it
    holds the bias of n samples, which the value has too. Its standard error is that of the
    infinitesimal jackknife (Jaeckel, 1972): one sample x moves the distance by 1/n of
    2 (m - m_r)'(x - m) + (x - m)'(I - T)(x - m), less the mean of that, where T is the optimal
    transport map from the generated Gaussian to the real one (Dowson and Landau, 1982): the
    derivative of tr (S S_r)^(1/2) by S is T / 2.

    Args:
        features: of generated samples.
        real: moments of the real ones.
        generated: moments of more samples, of which `features` are some at random, to tell the
            spread; those of `features` themselves if None.

    Raises:
        RequestError: features that are not finite, of another dimension, or fewer than two.
    """
    features = check_features("features", features, at_least=2)
    generated = generated or moments([features])
    _check_pair(generated, real)
    root, leading = _root(generated.covariance)
    left, singular = _left_singular(root.T @ _root(real.covariance)[0])
    # T = R'^-1 left diag(singular) left' R^-1 with the root R. A sample is R z with z fixed by the
    # leading coordinates alone, which also serves where S is singular.
    to_transported = np.zeros((len(generated.mean), len(singular)))
    to_transported[leading] = linalg.solve_triangular(
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
            "singular and the distance biased upwards; take more than %d samples, better several "
            "times as many",
            fewest,
            dimension,
            dimension,
        )


def _root(
    covariance: Float64[np.ndarray, "d d"],
) -> tuple[Float64[np.ndarray, "d rank"], np.ndarray]:
    """A matrix R with R R' = covariance, and the rows in which it is lower triangular.

    Cholesky with pivoting, which finds the rank of a singular covariance (Higham, 1990); pivots
    below d rounding errors of the greatest variance count as zero.
    """
    factor, pivots, rank, _ = linalg.lapack.dpstrf(covariance, lower=1)
    pivots = pivots - 1
    root = np.empty((len(covariance), rank))
    root[pivots] = np.tril(factor)[:, :rank]
    return root, pivots[:rank]


def _left_singular(
    matrix: Float64[np.ndarray, "rows columns"],
) -> tuple[Float64[np.ndarray, "rows rows"], Float64[np.ndarray, " rows"]]:
    """Left singular vectors, and singular values with zeros where there are fewer.

    By the eigenvectors of the symmetric square, in half the time of a full decomposition. Roots of
    its eigenvalues would lose half the digits; the lengths of the rows in the new axes do not,
    except where they are so small that rounding turns their axes towards those of long rows.
    """
    _, left = linalg.eigh(matrix @ matrix.T)
    rows = left.T @ matrix
    lengths = np.linalg.norm(rows, axis=1)
    short = lengths < SHORT * lengths.max(initial=0.0)
    if short.any():
        axes = rows[~short] / lengths[~short, None]
        rest = rows[short] - rows[short] @ axes.T @ axes
        lengths[short] = 0
        found = linalg.svdvals(rest)
        lengths[np.flatnonzero(short)[: len(found)]] = found
    return left, lengths


def _distance(first: Moments, second: Moments, singular: Float64[np.ndarray, " rank"]) -> float:
    """The distance, given the singular values of R1' R2, whose sum is tr (S1 S2)^(1/2)."""
    difference = first.mean - second.mean
    traces = np.trace(first.covariance) + np.trace(second.covariance)
    # Rounding takes the distance of a Gaussian to itself slightly below zero.
    return max(0.0, float(difference @ difference + traces - 2 * singular.sum()))
