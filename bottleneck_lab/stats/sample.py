"""The number, mean and spread of a few values, exact enough that equal values have a spread of exactly 0."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """What a t statistic needs: `n` >= 2 values, their `mean`, and their standard deviation `sd`."""

    n: int
    mean: float
    sd: float


def finite(values: Iterable[float]) -> list[float]:
    """The values as a list; raises ValueError for one that is infinite or not a number."""
    listed = [float(value) for value in values]
    for value in listed:
        if not math.isfinite(value):
            raise ValueError(f"every value must be finite, got {value}")
    return listed


def describe(values: Iterable[float]) -> Sample | None:
    """Count, mean and standard deviation (divisor n - 1) of `values`, in their unit; None for fewer than two.

    The sums are rational numbers, not floats: three values of 0.1 have mean 0.1 and sd 0, where a rounded
    sum would give them a spread of 1e-17 and a t statistic of 1e16.

    Raises ValueError for a value that is not finite.
    """
    listed = finite(values)
    if len(listed) < 2:
        return None
    return Sample(len(listed), statistics.mean(listed), statistics.stdev(listed))
