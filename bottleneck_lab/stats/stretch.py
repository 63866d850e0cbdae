"""By what factor one way of training may be shorter than another for the same loss."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2000


def length_to_reach(lengths: Sequence[float], losses: Sequence[float], target: float) -> float:
    """The shortest training that ends with a loss of `target`, in the unit of `lengths` (increasing).

    Between two lengths the loss is taken to be linear in their logarithm. 0 where even the shortest training
    ends below the target, infinity where none gets there.
    """
    if losses[0] < target:
        return 0.0
    for index, loss in enumerate(losses):
        if loss <= target:
            if index == 0:
                return lengths[0]
            share = (losses[index - 1] - target) / (losses[index - 1] - loss)
            return float(lengths[index - 1] * (lengths[index] / lengths[index - 1]) ** share)
    return math.inf


@dataclass(frozen=True)
class Stretch:
    """A factor with its 95 % interval; None for ends that one pair of seeds says nothing of.

    What lies outside of [`least`, `most`] cannot be told from these lengths, and is that bound.
    """

    estimate: float
    low: float | None
    high: float | None
    least: float
    most: float


@dataclass(frozen=True)
class Stretches:
    """Time stretches by length, and each bootstrap replicate's `[resamples, lengths]`, all within bounds."""

    lengths: tuple[float, ...]
    at: tuple[Stretch, ...]
    replicates: NDArray[np.float64]

    def ratio(self, late: int, early: int) -> tuple[float, float | None, float | None] | None:
        """The stretch at one length over that at another, and its interval; None where a bound hides it."""
        if any(not at.least < at.estimate < at.most for at in (self.at[late], self.at[early])):
            return None
        ratio = self.at[late].estimate / self.at[early].estimate
        if not len(self.replicates):
            return ratio, None, None
        low, high = _ends(self.replicates[:, late] / self.replicates[:, early])
        return ratio, low, high


def time_stretch(
    lengths: Sequence[float], fast: ArrayLike, slow: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> Stretches:
    """At every length, that length over the one that `fast` needs for the mean loss that `slow` has there.

    `fast` and `slow` [n_seeds, n_lengths] hold the losses after trainings of these lengths, a row for each
    seed in the same order. The interval is that of the percentile bootstrap over pairs of seeds: rows of
    both are drawn together. The same arguments give the same interval.

    Raises ValueError for losses of other shapes, and for lengths that do not increase from above 0.
    """
    a, b = np.asarray(fast, dtype=np.float64), np.asarray(slow, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 2 or a.shape[1] != len(lengths) or not a.size:
        raise ValueError(f"losses must be [seeds, {len(lengths)}] for both, got {a.shape} and {b.shape}")
    if lengths[0] <= 0 or any(later <= earlier for earlier, later in itertools.pairwise(lengths)):
        raise ValueError(f"lengths must increase from above 0, got {list(lengths)}")
    estimates = _stretches(lengths, a.mean(0), b.mean(0))
    replicates = np.empty((0, len(lengths)))
    if len(a) > 1:
        rows = np.random.default_rng(seed).integers(len(a), size=(resamples, len(a)))
        means = zip(a[rows].mean(1), b[rows].mean(1), strict=True)
        replicates = np.array([_stretches(lengths, one, other) for one, other in means])
    at = []
    for index, length in enumerate(lengths):
        low, high = _ends(replicates[:, index]) if len(replicates) else (None, None)
        at.append(Stretch(estimates[index], low, high, length / lengths[-1], length / lengths[0]))
    return Stretches(tuple(lengths), tuple(at), replicates)


def _stretches(lengths: Sequence[float], fast: NDArray[np.float64], slow: NDArray[np.float64]) -> list[float]:
    """Each cut to what can be told from these lengths."""
    reached = [length_to_reach(lengths, fast.tolist(), float(loss)) for loss in slow]
    shortest, longest = lengths[0], lengths[-1]
    needed = [min(max(length, shortest), longest) for length in reached]
    return [length / need for length, need in zip(lengths, needed, strict=True)]


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def ratio_interval(
    above: ArrayLike, below: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float | None, float | None]:
    """The mean of `above` over the mean of `below`, values of the same seeds, with its bootstrap interval.

    None for ends where there is one seed, or where a mean of `below` may be 0 or of the other sign: then the
    ratio has no interval that is one piece.
    """
    a, b = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    estimate = float(a.mean() / b.mean()) if b.mean() else math.nan
    if len(a) < 2:
        return estimate, None, None
    rows = np.random.default_rng(seed).integers(len(a), size=(resamples, len(a)))
    means = b[rows].mean(1)
    if not ((means > 0).all() or (means < 0).all()):
        return estimate, None, None
    low, high = _ends(a[rows].mean(1) / means)
    return estimate, low, high
