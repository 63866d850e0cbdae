"""What happens to distances and dimension when points (N, n) become codes (N, m)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy  # whose parts come when they are used: some take longer than a report
from numpy.typing import NDArray

from bottleneck_lab.errors import LabError
from bottleneck_lab.manifold.activations import FloatArray

IntArray = NDArray[np.intp]

_SAME = 1e-12  # codes that agree to this share of the largest entry differ by rounding only


@dataclass(frozen=True)
class NearestCodes:
    """The distinct ones among N codes and the two nearest others of each, for all measures that need them.

    Of one set of codes, or of each of a stack of sets, whose D distinct codes are then numbered through, set
    after set. `labels` (..., N): which distinct code each point has. `distances` (D, 2): from each distinct
    code to its nearest and second nearest other of its set, infinite where there is none. `nearest` (D,):
    the label of the nearest, its own where there is none.
    """

    labels: IntArray
    distances: FloatArray
    nearest: IntArray

    @property
    def sizes(self) -> IntArray:
        """How many points have each of the D codes."""
        return np.bincount(self.labels.ravel())

    @property
    def equal_pairs(self) -> IntArray:
        """The number of pairs of points that have the same code, (...)."""
        return np.asarray((self.sizes[self.labels] - 1).sum(axis=-1) // 2)


def nearest_codes(codes: FloatArray) -> NearestCodes:
    """Compare codes (..., N, m) in each set; equal: in every channel, up to 1e-12 of the largest entry."""
    *_, count, channels = codes.shape
    rows, sets = codes.reshape(-1, channels), codes.reshape(-1, count, channels)
    same = (_SAME * np.abs(sets).max(axis=(1, 2))).repeat(count)
    # Equal codes have equal projections: they stand side by side in their order, and few others come as near.
    projections = rows @ np.sin(np.arange(1.0, channels + 1))
    of_set = np.arange(0, len(rows), count)
    order = (of_set[:, None] + np.argsort(projections.reshape(-1, count), axis=-1)).ravel()
    ordered = rows.take(order, axis=0)
    near = 1 + np.flatnonzero(np.diff(projections[order]) <= 2 * channels * same[1:])
    apart = np.abs(ordered.take(near, axis=0) - ordered.take(near - 1, axis=0))
    starts = np.ones(len(rows), dtype=bool)
    starts[near] = (apart > same[near, None]).any(axis=-1)
    starts[of_set] = True
    labels = np.empty_like(order)
    labels[order] = np.cumsum(starts) - 1

    distinct, ends = ordered.compress(starts, axis=0), np.cumsum(starts.reshape(-1, count).sum(axis=-1))
    distances, nearest = np.empty((len(distinct), 2)), np.empty(len(distinct), dtype=np.intp)
    for first, end in pairwise([0, *ends]):
        ones = distinct[first:end]
        # The nearest is the code itself.
        distances[first:end], others = scipy.spatial.cKDTree(ones).query(ones, k=[2, 3])
        nearest[first:end] = first + others[:, 0]
    alone = np.isinf(distances[:, 0])
    nearest[alone] = np.flatnonzero(alone)
    return NearestCodes(labels.reshape(codes.shape[:-1]), distances, nearest)


def merged_pairs(points: NearestCodes, codes: NearestCodes) -> FloatArray:
    """The share (...) of pairs of distinct points that f(Tx + b) maps onto the same code, 0 to 1.

    Where the rank of the active rows falls to n - 1, whole lines are mapped onto one code, but two points
    of a sample hardly ever lie on the same such line; what is counted is pairs that lost everything. For a
    random T without bias and points in the plane with independent, uniformly distributed directions it is
    2^-m / (m + 1) on average.
    """
    count, already = points.labels.shape[-1], points.equal_pairs
    return np.asarray((codes.equal_pairs - already) / (count * (count - 1) / 2 - already))


def nearest_neighbour_error(points: FloatArray, codes: NearestCodes) -> FloatArray:
    """The error (...) of answering, for each of `points` (N, n), another one: that with the nearest code.

    Where several points share that code, the answer is their mean. The error is that of `decoders`: root
    mean square distance, relative to that of the points from their mean; the spacing of the points keeps it
    above 0.
    """
    labels, sizes = codes.labels, codes.sizes
    columns = [np.broadcast_to(column, labels.shape).ravel() for column in points.T]
    sums = np.column_stack([np.bincount(labels.ravel(), weights=column) for column in columns])
    shared = sizes > 1
    answers = (sums / sizes[:, None]).take(np.where(shared, np.arange(len(sizes)), codes.nearest), axis=0)
    # Without the point itself, the mean of the s that share its code is s / (s - 1) times as far from it.
    farther = np.where(shared, sizes / (sizes - 1).clip(min=1), 1.0)
    misses = farther[labels][..., None] * (answers.take(labels, axis=0) - points)
    spread = ((points - points.mean(axis=0)) ** 2).sum()
    return np.asarray(np.sqrt((misses**2).sum(axis=(-2, -1)) / spread))


def two_nn_dimension(codes: NearestCodes) -> FloatArray:
    """The TwoNN intrinsic dimension (...) (Facco et al. 2017), NaN if fewer than three codes are distinct.

    mu = r2 / r1 of the two nearest neighbours follows P(mu <= u) = 1 - u^-d for points sampled at random
    from a d-dimensional manifold; d is the slope through the origin of -log(1 - rank / N) on log mu,
    without the largest tenth of the mu, as the authors have it. Equal codes are taken once (r1 would be 0).
    On an evenly spaced curve or a lattice all mu are 1 and the estimate means nothing; take a random part
    of such points first.
    """
    nearest, second = codes.distances.T
    mu = np.divide(second, nearest, out=np.ones_like(nearest), where=np.isfinite(second))
    rows = codes.labels.reshape(-1, codes.labels.shape[-1])
    counts = np.diff(rows.max(axis=-1), prepend=-1)[:, None]
    rank = np.arange(1, rows.shape[-1] + 1)
    log_mu = np.full(rows.shape, np.inf)
    log_mu[rank <= counts] = np.log(mu)
    log_mu.sort(axis=-1)
    kept = rank <= (0.9 * counts).astype(np.intp)
    log_mu[~kept] = 0.0
    quantile = -np.log1p(-rank / counts, out=np.zeros(rows.shape), where=kept)
    square = (log_mu**2).sum(axis=-1)
    slope = np.divide(
        (log_mu * quantile).sum(axis=-1), square, out=np.full_like(square, np.nan), where=square > 0
    )
    return np.asarray(slope.reshape(codes.labels.shape[:-1]))


def principal_variances(covariance: FloatArray) -> FloatArray:
    """Variances along the principal axes, ascending: eigenvalues (..., m) of covariances (..., m, m)."""
    return np.asarray(np.linalg.eigvalsh(covariance), dtype=np.float64).clip(min=0.0)


def effective_rank(variances: FloatArray) -> FloatArray:
    """exp of the entropy of the singular values, scaled to sum 1 (Roy & Vetterli 2007); (..., m) gives (...).

    The singular values are those of the codes after each channel's mean is subtracted, that is, the square
    roots of the principal variances. m for codes that spread equally along all axes, 1 for codes on a line,
    0 for one point.
    """
    return np.asarray(np.exp(_entropy(np.sqrt(variances))) * (variances.max(axis=-1) > 0))


def participation_ratio(variances: FloatArray) -> FloatArray:
    """(sum of the principal variances)^2 / sum of their squares; (..., m) gives (...), 0 for a single point.

    The variances are about the mean. Runs from 1 to m like the effective rank, but weighs variances and not
    standard deviations, so that small axes count for less.
    """
    scale = variances.max(axis=-1, keepdims=True)
    shares = np.divide(variances, scale, out=np.zeros_like(variances), where=scale > 0)
    squares = (shares**2).sum(axis=-1)
    ratio = np.divide(shares.sum(axis=-1) ** 2, squares, out=np.zeros_like(squares), where=squares > 0)
    return np.asarray(ratio)


@dataclass(frozen=True)
class Neighbourhoods:
    """The neighbours of each of N points and how far off the others are, once, to be compared many times.

    `member` (N, N): the share of column in the k nearest of row, below 1 where more points than there is
    room for have the distance of the last one. `excess` (N, N): how much the rank of column by distance
    from row, 1 + the number of points that are closer, exceeds k; 0 for neighbours. Distances tie if they
    agree to 1e-12 of the largest.
    """

    count: int
    neighbours: int
    member: FloatArray
    excess: FloatArray


def neighbourhoods(points: FloatArray, neighbours: int = 5) -> Neighbourhoods:
    """The neighbourhoods of points (N, n) by Euclidean distance; raises LabError unless 1 <= k < N / 2."""
    count = len(points)
    if not 1 <= neighbours < count / 2:
        raise LabError(f"{count} points: neighbourhoods of {neighbours} need at least {2 * neighbours + 1}")
    distances = scipy.spatial.distance.cdist(points, points)
    largest = distances.max()
    if largest > 0:
        distances = np.round(distances / largest, 12)  # 1e-12 apart is rounding, and a tie
    np.fill_diagonal(distances, np.inf)  # nobody is their own neighbour
    order = np.argsort(distances, axis=1)
    ordered = np.take_along_axis(distances, order, axis=1)
    starts = np.ones(order.shape, dtype=bool)  # of ties, row after row
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    tie, start = np.cumsum(starts).reshape(order.shape) - 1, np.flatnonzero(starts)
    closer, tied = start % count, np.diff(start, append=starts.size)
    member, excess = np.empty((2, count, count))
    np.put_along_axis(member, order, ((neighbours - closer) / tied).clip(0.0, 1.0)[tie], axis=1)
    np.put_along_axis(excess, order, (closer + 1.0 - neighbours).clip(min=0.0)[tie], axis=1)
    return Neighbourhoods(count, neighbours, member, excess)


def trustworthiness(points: Neighbourhoods, codes: Neighbourhoods) -> float:
    """Are neighbours among the codes neighbours among the points? 1 if all are, about 1/2 by chance.

    1 - 2 / (N k (2N - 3k - 1)) times the sum, over each code's k nearest that are not among the point's k
    nearest, of their rank by distance from the point, less k (Venna and Kaski 2001). Points that collapse
    onto each other become neighbours who were none, and lower it.
    """
    n, k = points.count, points.neighbours
    intruders = float(np.einsum("ij,ij->", codes.member, points.excess))
    return 1.0 - 2.0 / (n * k * (2 * n - 3 * k - 1)) * intruders


def continuity(points: Neighbourhoods, codes: Neighbourhoods) -> float:
    """Are neighbours among points still neighbours among codes? Trustworthiness with the two exchanged.

    A tear lowers it. Collapse alone does not: neighbours on one code have nobody closer.
    """
    return trustworthiness(codes, points)


def _entropy(weights: FloatArray) -> FloatArray:
    total = weights.sum(axis=-1, keepdims=True)
    shares = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    return np.asarray(-(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=-1))
