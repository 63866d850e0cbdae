"""How sure a comparison of given networks is, given that the held-out images could have been others."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bottleneck_lab.stats.intervals import Interval

_CELLS = 2**20  # of a block of counts: 8 MiB


def bootstrap_examples(
    correct_a: ArrayLike, correct_b: ArrayLike, *, resamples: int = 2000, seed: int = 0
) -> Interval:
    """Accuracy of a minus accuracy of b with its 95 % percentile bootstrap interval over held-out examples.

    `correct_a` and `correct_b` [n_examples] hold, for the same examples in the same order, 1 where the
    network is right and 0 where it is wrong, or the mean of that over seeds. Resampling examples keeps
    their pairs. The same arguments give the same interval.

    It generalises over new images for these very networks. Intervals over seeds (`mean_interval`) generalise
    over new trainings for these very images. Neither does both, and neither speaks of another dataset.
    One example gives no ends.

    Raises ValueError for arrays that are empty, not vectors of one length, or outside [0, 1], and for no
    resamples. Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, ch. 13.
    """
    a, b = _correctness(correct_a), _correctness(correct_b)
    if a.shape != b.shape:
        raise ValueError(f"both networks answer the same examples, got {a.size} and {b.size} of them")
    if resamples < 1:
        raise ValueError(f"a bootstrap needs at least one resample, got {resamples}")
    differences = a - b
    estimate = float(differences.mean())
    if differences.size < 2:
        return Interval(estimate, None, None)
    low, high = np.quantile(_resampled_means(differences, resamples, seed), [0.025, 0.975])
    return Interval(estimate, float(low), float(high))


def _correctness(correct: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(correct, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"correctness is a vector with an entry per example, got shape {array.shape}")
    if not ((array >= 0) & (array <= 1)).all():
        raise ValueError("correctness is 0, 1 or a mean of these, but some lies outside [0, 1]")
    return array


def _resampled_means(differences: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    # How often each distinct difference is drawn is multinomial, and -1, 0, 1 are three where examples are
    # ten thousand: the same distribution as drawing examples, in a fraction of the time and memory.
    distinct, counts = np.unique(differences, return_counts=True)
    generator = np.random.default_rng(seed)
    rows = max(1, _CELLS // distinct.size)
    blocks = [
        generator.multinomial(differences.size, counts / differences.size, size=min(rows, resamples - start))
        @ distinct
        for start in range(0, resamples, rows)
    ]
    return np.concatenate(blocks) / differences.size
