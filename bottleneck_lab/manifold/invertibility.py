"""When can x be read back from ReLU(Tx + b)? Lemma 2, Theorem 1 and three bounds (Appendix A of the paper).

Shapes: points (N, n), T (..., m, n), pre-activations Tx + b (..., N, m). The paper's B is T here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy  # whose parts come when they are used: some take longer than a report
from numpy.typing import NDArray
from scipy.special import bdtr

from bottleneck_lab.errors import LabError
from bottleneck_lab.manifold.activations import Activation, BoolArray, FloatArray

BOTTLENECK_WIDTHS = (16, 24, 32, 64, 96, 160)  # n of MobileNetV2's blocks with t = 6 (Table 2)

_MOST_MINORS = 5000


@dataclass(frozen=True)
class Recovery:
    """For each point (..., N): the rank of the Jacobian there, and whether x is `unique` given its output."""

    rank: NDArray[np.int32]
    unique: BoolArray


def recovery(matrices: FloatArray, pre_activations: FloatArray, activation: Activation) -> Recovery:
    """Lemma 2, exact: is x the only one with the output f(Tx + b)? (..., m, n) and (..., N, m) give (..., N).

    The lemma says: yes, if and only if the active rows of T have rank n. That holds wherever no channel
    stands exactly on a kink of f. Channels that do (the origin without a bias has no others) still forbid
    one direction: x is unique if and only if no v but 0 has T_A v = 0 on the active rows and T_Z v <= 0 on
    those at the kink (T_Z v >= 0 at the upper kink of ReLU6). The rank is that of the active rows, so for
    the derivative 0 at a kink, as in PyTorch. Pre-activations are compared with the kinks as they are given.
    """
    active = activation.informative(pre_activations)
    rank = active_rank(matrices, active)
    unique = np.asarray(rank == matrices.shape[-1])
    at_kink = np.zeros(unique.shape, dtype=bool)
    for kink in (activation.flat_below, activation.flat_above):
        if np.isfinite(kink):
            at_kink |= (pre_activations == kink).any(axis=-1)
    for index in map(tuple, np.argwhere(at_kink & ~unique)):
        matrix, z = matrices[index[:-1]], pre_activations[index]
        may_not_rise = np.concatenate(
            [matrix[z == activation.flat_below], -matrix[z == activation.flat_above]]
        )
        unique[index] = _only_zero(matrix[active[index]], may_not_rise)
    return Recovery(rank, unique)


def active_rank(matrices: FloatArray, active: BoolArray) -> NDArray[np.int32]:
    """The rank of the rows of T that are active: (..., m, n) and (..., N, m) give (..., N).

    Where any n rows of T are independent, which a random T has with probability one, k rows have rank
    min(k, n). For a T where this does not hold, or cannot be checked quickly, the rank is computed for every
    pattern of active rows that occurs.
    """
    rows, columns = matrices.shape[-2:]
    rank = np.asarray(np.minimum(active.sum(axis=-1, dtype=np.int32), columns))
    matrix_of, active_of = matrices.reshape(-1, rows, columns), active.reshape(-1, active.shape[-2], rows)
    rank_of = rank.reshape(len(matrix_of), -1)
    for k in np.flatnonzero(~_in_general_position(matrix_of)):
        packed, pattern = np.unique(np.packbits(active_of[k], axis=-1), axis=0, return_inverse=True)
        patterns = np.unpackbits(packed, axis=-1, count=rows)
        per_call = max(1, 2**20 // (rows * columns))
        ranks = [
            _ranks(matrix_of[k] * patterns[start : start + per_call, :, None])
            for start in range(0, len(patterns), per_call)
        ]
        rank_of[k] = np.concatenate(ranks)[pattern.reshape(-1)]
    return rank_of.reshape(rank.shape)


def collapsed_in_theory(channels: int, data_dim: int) -> float:
    """Theorem 1: the average share of volume that ReLU(Tx) collapses, P(Bin(m, 1/2) < n), correctly rounded.

    m = `channels`, n = `data_dim`. The theorem counts the sign patterns with at least n positive channels,
    N_{m,n} = sum of C(m, k) over k = 0 .. m - n, as kept, so the collapsed share is 1 - N_{m,n} / 2^m. (The
    text below the theorem has the two shares the wrong way round.) It holds for every distribution of T,
    and of a bias, that does not change when rows change sign. Raises LabError unless 1 <= n <= m.
    """
    return _collapsed_patterns(channels, data_dim) / (1 << channels)


def collapsed_deviation_in_theory(
    channels: int, data_dim: int, angles: FloatArray, pairs: FloatArray
) -> float:
    """The standard deviation over random Gaussian T of the share of points that ReLU(Tx) collapses.

    Divided by the root of the number of matrices it is the sampling error of their mean, which the
    matrices themselves tell badly as soon as few of them collapse anything. `angles` (A,): angles between
    points, in radians, strictly between 0 and pi; `pairs` (A,): how many ordered pairs are at each, a point
    with itself included.

    A Gaussian row is positive at both points of a pair with probability (pi - angle) / (2 pi), so that the
    share's second moment, the probability that both collapse, is a sum over trinomials. Ours, not the
    paper's. Raises LabError unless 1 <= n <= m.
    """
    mean = collapsed_in_theory(channels, data_dim)
    both, one = (np.pi - angles) / (2 * np.pi), angles / (2 * np.pi)
    both_collapse = np.zeros_like(angles)
    for in_both in range(data_dim):
        for in_first in range(data_dim - in_both):
            rest = channels - in_both - in_first
            ways = math.comb(channels, in_both) * math.comb(channels - in_both, in_first)
            log_share = in_both * np.log(2 * both) + in_first * np.log(2 * one) + math.log(ways)
            share = np.exp(log_share - channels * math.log(2))  # the rest are off at the first point
            both_collapse += share * bdtr(min(data_dim - in_both - 1, rest), rest, angles / np.pi)
    variance = (pairs @ both_collapse) / pairs.sum() - mean**2
    return math.sqrt(max(variance, 0.0))


@dataclass(frozen=True)
class CollapseBounds:
    """Theorem 1's collapsed share and the paper's three successive upper bounds on it, as base-2 logarithms.

    `collapsed` <= `factorial` = m^(n+1) / (2^m n!) <= `power` = 2^((n+1) log2 m - m) <= `half` = 2^(-m/2),
    says the text after Theorem 1, "for m >> n". The first two steps hold for every n <= m, the last where
    (n+1) log2 m <= m/2.
    """

    channels: int
    data_dim: int
    collapsed: float
    factorial: float
    power: float
    half: float

    @property
    def last_bound_holds(self) -> bool:
        """Whether the collapsed share really is at most 2^(-m/2)."""
        return self.collapsed <= self.half


def collapse_bounds(channels: int, data_dim: int) -> CollapseBounds:
    """Theorem 1 and the bounds after it for m = `channels`, n = `data_dim`; exact sums, then logarithms.

    Raises LabError unless 1 <= n <= m.
    """
    patterns = _collapsed_patterns(channels, data_dim)
    power = (data_dim + 1) * math.log2(channels) - channels
    return CollapseBounds(
        channels=channels,
        data_dim=data_dim,
        collapsed=math.log2(patterns) - channels,
        factorial=power - math.log2(math.factorial(data_dim)),
        power=power,
        half=-channels / 2,
    )


def bounds_of_mobilenet_blocks(expansion: int = 6) -> list[CollapseBounds]:
    """The bounds for the widths n of MobileNetV2's bottlenecks and m = `expansion` n; the last fails at 6."""
    return [collapse_bounds(expansion * width, width) for width in BOTTLENECK_WIDTHS]


def _collapsed_patterns(channels: int, data_dim: int) -> int:
    if not 1 <= data_dim <= channels:
        raise LabError(f"n = {data_dim}, m = {channels}: Theorem 1 needs 1 <= n <= m")
    return sum(math.comb(channels, active) for active in range(data_dim))


def _in_general_position(matrices: FloatArray) -> BoolArray:
    """For each of (K, m, n): True if any n rows are surely independent, False if not or not cheaply known."""
    count, rows, columns = matrices.shape
    if rows < columns or math.comb(rows, columns) > _MOST_MINORS:
        return np.zeros(count, dtype=bool)
    lengths = np.linalg.norm(matrices, axis=-1, keepdims=True)
    directions = np.divide(matrices, lengths, out=np.zeros_like(matrices), where=lengths > 0)
    subsets = np.array(list(combinations(range(rows), columns)))
    result = np.empty(count, dtype=bool)
    per_call = max(1, 2**20 // (len(subsets) * columns**2))
    for start in range(0, count, per_call):
        minors = np.linalg.det(directions[start : start + per_call, subsets])
        result[start : start + per_call] = (np.abs(minors) > 1e-8).all(axis=-1)
    return result


def _ranks(matrices: FloatArray) -> NDArray[np.int64]:
    """The ranks of matrices (P, m, n); full rank mostly shows in the Gram matrix, ten times cheaper."""
    spread = np.linalg.eigvalsh(np.swapaxes(matrices, -1, -2) @ matrices)
    ranks = np.full(len(matrices), matrices.shape[-1])
    unsure = spread[:, 0] <= 1e-8 * spread[:, -1]
    ranks[unsure] = np.linalg.matrix_rank(matrices[unsure])
    return ranks


def _only_zero(fixed: FloatArray, may_not_rise: FloatArray) -> bool:
    """Is v = 0 the only v with `fixed` v = 0 and `may_not_rise` v <= 0? Both hold one row per condition.

    By Stiemke's lemma it is, if and only if the rows span everything and a combination of them with
    positive weights on `may_not_rise` (and any on `fixed`) vanishes. Weights 1 + u, u >= 0 will do, as
    scaling is free.
    """
    may_not_rise = may_not_rise / np.linalg.norm(may_not_rise, axis=1, keepdims=True).clip(min=1e-300)
    _, residual = scipy.optimize.nnls(
        np.concatenate([may_not_rise, fixed, -fixed]).T, -may_not_rise.sum(axis=0)
    )
    if residual > 1e-9:
        return False
    rows = np.concatenate([fixed, may_not_rise])
    return bool(np.linalg.matrix_rank(rows) == rows.shape[1])
