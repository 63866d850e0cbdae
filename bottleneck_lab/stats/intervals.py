"""Student t intervals for the mean over seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from bottleneck_lab.stats.sample import describe, finite


@dataclass(frozen=True)
class Interval:
    """An estimate and the two ends of its interval, None where a single value says nothing of the spread."""

    estimate: float
    low: float | None
    high: float | None


def t_quantile(probability: float, degrees_of_freedom: int) -> float:
    """The value that Student's t falls below with `probability`."""
    return float(special.stdtrit(degrees_of_freedom, probability))


def mean_interval(values: Iterable[float], level: float = 0.95) -> Interval:
    """The mean of `values` (one per seed, in any unit) with its Student t interval, in the same unit.

    In `level` of all repetitions of the experiment with new seeds the interval holds the mean over all
    seeds, exactly so where values are normal. It says nothing of other held-out images (see
    `bootstrap_examples`). One value gives no ends.

    Raises ValueError for no values, for one that is not finite, and for a level outside (0, 1).
    Source: Student 1908, Biometrika 6.
    """
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, got {level}")
    listed = finite(values)
    if not listed:
        raise ValueError("there are no values to take the mean of")
    sample = describe(listed)
    if sample is None:
        return Interval(listed[0], None, None)
    half_width = t_quantile((1 + level) / 2, sample.n - 1) * sample.sd / math.sqrt(sample.n)
    return Interval(sample.mean, sample.mean - half_width, sample.mean + half_width)


def accuracy_interval(values: Iterable[float], level: float = 0.95) -> Interval:
    """The mean of accuracies (fractions in [0, 1], one per seed) with its t interval cut to [0, 1].

    No accuracy lies outside [0, 1], so cutting costs no coverage.

    Raises ValueError for an accuracy outside [0, 1] and as `mean_interval` does.
    """
    accuracies = list(values)
    for accuracy in accuracies:
        if not 0 <= accuracy <= 1:
            raise ValueError(f"an accuracy is a fraction in [0, 1], got {accuracy}")
    interval = mean_interval(accuracies, level)
    if interval.low is None or interval.high is None:
        return interval
    return Interval(interval.estimate, max(0.0, interval.low), min(1.0, interval.high))


def mean_band(groups: Sequence[ArrayLike], level: float = 0.95) -> NDArray[np.float64]:
    """`mean_interval` of many groups of finite values: means, lower and upper ends, float `[3, n_groups]`.

    In floats, so exact to rounding only, and many times as fast; groups of equal values have no width all the
    same. A group of one value has NaN for its ends.

    Raises ValueError for a group without values, and for a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, got {level}")
    found = np.empty((3, len(groups)))
    for index, group in enumerate(groups):
        values = np.asarray(group, dtype=np.float64)
        if values.size == 0:
            raise ValueError("there are no values to take the mean of")
        beyond = values - values[0]  # exactly 0 where values are equal
        mean = values[0] + beyond.mean()
        half_width = np.nan
        if (n := values.size) > 1:
            half_width = t_quantile((1 + level) / 2, n - 1) * beyond.std(ddof=1) / math.sqrt(n)
        found[:, index] = mean, mean - half_width, mean + half_width
    return found


def accuracy_band(groups: Sequence[ArrayLike], level: float = 0.95) -> NDArray[np.float64]:
    """`mean_band` of accuracies (fractions in [0, 1]) with the intervals cut to [0, 1]."""
    return np.clip(mean_band(groups, level), 0.0, 1.0)
