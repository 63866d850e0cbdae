"""Whether arms are ordered as predicted: Spearman's rank correlation, and how sure it is."""

from __future__ import annotations

import numpy as np
import scipy  # whose parts come when they are used: some take longer than a report
from numpy.typing import ArrayLike, NDArray

from bottleneck_lab.stats.intervals import Interval

RESAMPLES = 2000
FEWEST_ARMS = 4


def rank_correlation(
    predicted: ArrayLike, measured: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval | None:
    """Spearman's correlation of predictions with means over seeds, and its 95 % percentile bootstrap
    interval.

    Args:
        predicted: `[arms]`.
        measured: `[arms, seeds]`, one column for each seed that every arm has.
        resamples: of arms and, for all arms alike, of seeds, both with replacement.
        seed: of the resampling; the same arguments give the same interval.

    Returns None for fewer than four arms, and where predictions or means are all equal. The interval has no
    ends for a single seed. Source: Efron & Tibshirani 1993, ch. 13.

    Raises ValueError for shapes that do not fit, or no seeds.
    """
    x, y = np.asarray(predicted, dtype=np.float64), np.asarray(measured, dtype=np.float64)
    if x.ndim != 1 or y.ndim != 2 or len(x) != len(y) or y.shape[1] == 0:
        raise ValueError(
            f"predictions [arms] and values [arms, seeds] are needed, got {x.shape} and {y.shape}"
        )
    if len(x) < FEWEST_ARMS:
        return None
    [estimate] = _spearman(x[None], y.mean(1)[None])
    if np.isnan(estimate):
        return None
    if y.shape[1] < 2:
        return Interval(float(estimate), None, None)
    generator = np.random.default_rng(seed)
    arms = generator.integers(len(x), size=(resamples, len(x)))
    seeds = generator.integers(y.shape[1], size=(resamples, y.shape[1]))
    means = np.stack([y[of][:, at].mean(1) for of, at in zip(arms, seeds, strict=True)])
    replicates = _spearman(x[arms], means)
    low, high = np.quantile(replicates[~np.isnan(replicates)], [0.025, 0.975])
    return Interval(float(estimate), float(low), float(high))


def _spearman(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Row by row; NaN where all of a row's values are equal."""
    a, b = (scipy.stats.rankdata(values, axis=1) for values in (x, y))
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    spread = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.asarray(np.divide((a * b).sum(1), spread, out=np.full(len(x), np.nan), where=spread > 0))
